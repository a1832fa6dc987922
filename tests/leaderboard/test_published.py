"""The published results as data: complete, checked, and any change is noticed."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from vtg_eval.leaderboard.board import SHIPPED, load_board
from vtg_eval.leaderboard.published import Published
from vtg_eval.leaderboard.published_files import load_published

from tests.leaderboard_case import board_copy, changed
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

REGISTRY = Registry.discover()


@pytest.fixture(scope="module")
def published() -> Published:
    return load_published(SHIPPED / "published", REGISTRY.tasks, REGISTRY.protocols)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return board_copy(tmp_path)


def test_the_data_are_complete(published: Published) -> None:
    assert len(published.numbers) == 1456
    assert len(published.benchmarks) == 22
    assert Counter(n.read for n in published.numbers) == {"source": 1316, "copy": 87, "no": 53}
    settings = Counter(n.setting for n in published.numbers)
    assert settings == {"zero-shot": 1154, "fine-tuned": 291, "unspecified": 11}


def test_a_number_has_all_its_metadata(published: Published) -> None:
    (number,) = (
        n
        for n in published.numbers
        if (n.benchmark, n.model, n.metric) == ("charades_timelens", "TimeLens-7B", "R1@0.5")
    )
    assert (number.value, number.text, number.setting) == (55.6, "55.6", "zero-shot")
    assert (number.split, number.condition, number.note) == ("test", "", "")
    assert (number.evaluator, number.protocol) == ("TimeLens", "timelens@1")
    assert (number.frames, number.budget) == ("2 fps, at most 448", "14,336 tokens")
    assert (number.source, number.location, number.read) == ("timelens", "Table 1", "source")
    model = published.models["TimeLens-7B"]
    assert (model.size_b, model.base_model) == (7.0, "Qwen2.5-VL-7B")


def test_one_model_measured_by_several_keeps_all_its_numbers(published: Published) -> None:
    values = {
        n.evaluator or n.source: n.value
        for n in published.numbers
        if (n.benchmark, n.model, n.metric) == ("charades_sta", "Qwen2.5-VL-7B", "R1@0.5")
    }
    assert values == {"TimeZero": 25.7, "timelens": 38.2, "TempSamp-R1": 54.4, "UniTime": 60.32}


def test_no_remark_of_a_workplace_is_left() -> None:
    for path in (SHIPPED / "published").rglob("*"):
        assert path.is_dir() or "stored text" not in path.read_text(encoding="utf-8")


def test_metrics_are_named_as_the_tasks_name_them() -> None:
    board = load_board(SHIPPED, REGISTRY)
    for row in board.floors:
        benchmark = board.published.of_task(row.task)
        assert benchmark is not None and row.metric in benchmark.metrics


def test_floors_equal_those_of_docs_floors() -> None:
    page = (Path(__file__).parents[2] / "docs" / "floors.md").read_text(encoding="utf-8")
    sections = {part.split("\n")[0]: part for part in page.split("\n## ")}
    floors = load_board(SHIPPED, REGISTRY).floors
    assert len(floors) > 100
    for row in floors:
        table = sections[f"{row.task}, {row.split}"]
        assert f"{row.samples:,} samples on" in table and f", {row.protocol}\n" in table
        lines = [[c.strip() for c in x.split("|")] for x in table.splitlines() if x[:1] == "|"]
        (cells,) = (line for line in lines if line[1] == row.floor)
        assert cells[lines[0].index(row.metric)] == row.text


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("results/charades_sta.csv", ",43.6,", ",46.6,", "mIoU 46.6) was changed"),
        ("results/charades_sta.csv", ",zero-shot,", ",fine-tuned,", "was changed"),
        ("results/charades_sta.csv", ",43.6,", ",436,", "from 0 to 100, not '436'"),
        ("results/charades_sta.csv", ",43.6,", ",nan,", "not 'nan'"),
        ("results/charades_sta.csv", ",43.6,", ",4٣.6,", "not '4٣.6'"),
        ("results/charades_sta.csv", ",timelens,", ",,", 'the source "" is not in sources.csv'),
        ("results/charades_sta.csv", ",timelens,", ",timelenz,", 'Did you mean "timelens"?'),
        ("results/charades_sta.csv", "TimeLens-7B,", "TimeLens-7C,", "is not in models.csv"),
        ("results/charades_sta.csv", ",mIoU,", ",mIou,", 'Did you mean "mIoU"?'),
        ("results/charades_sta.csv", ",test,", ",tset,", "\"split\" cannot be 'tset'"),
        ("results/charades_sta.csv", ",zero-shot,", ",zeroshot,", '"setting" cannot be'),
        ("results/charades_sta.csv", ",time-r1@1,", ",time-r1@9,", '"protocol" cannot be'),
        ("results/charades_sta.csv", "Table 7 (quoted)", "", '"location" is empty'),
        ("results/charades_sta.csv", ",source,", ",yes,", '"read" cannot be'),
        ("results/charades_sta.csv", "zero-shot,", "", "does not have 15 values"),
        ("floors.csv", ",48.0,", ",84.0,", "R1@0.3 84.0) was changed"),
        ("pages.csv", ",36.1", ",36.2", "has no R1@0.5 36.2 of TVG-R1-7B"),
    ],
)
def test_a_changed_or_wrong_row_is_named(
    copy: Path, file: str, old: str, new: str, named: str
) -> None:
    line = changed(copy / "published" / file, old, new, at=1)
    with pytest.raises(UserError) as caught:
        load_board(copy, REGISTRY)
    assert f"{file}, line {line}" in str(caught.value).replace(f"{copy}/published/", "")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("models.csv", ",7,", ",8,", "models.csv was changed"),
        ("sources.csv", "2512.14698v2", "2512.14699v2", "sources.csv was changed"),
        ("sources.csv", "https://arxiv", "javascript:x", '"url" must be an https address'),
        ("benchmarks.toml", "samples = 3720", "samples = 37200", "benchmarks.toml was changed"),
        ("benchmarks.toml", 'task = "charades_sta"', 'task = "charades"', "there is no task"),
        ("benchmarks.toml", "[[benchmark]]", "[[benchmark]", "benchmarks.toml: not TOML"),
        (
            "benchmarks.toml",
            "samples = 3720",
            "sample = 3720",
            'no key "benchmark[0].sizes[0].sample"',
        ),
        ("digests.csv", "models.csv", "modelz.csv", "is not in digests.csv"),
    ],
)
def test_a_changed_file_is_named(copy: Path, file: str, old: str, new: str, named: str) -> None:
    changed(copy / "published" / file, old, new)
    with pytest.raises(UserError, match=re.escape(named)):
        load_board(copy, REGISTRY)


def test_removed_and_duplicated_rows_are_refused(copy: Path) -> None:
    path = copy / "published" / "results" / "tvgbench.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match=r"tvgbench\.csv was changed: rows were added, removed"):
        load_board(copy, REGISTRY)
    path.write_text("".join([*lines, lines[-1]]), encoding="utf-8")
    with pytest.raises(UserError, match=r"line 17 repeats .* line 16"):
        load_board(copy, REGISTRY)


def test_a_file_of_an_unknown_benchmark_is_named(copy: Path) -> None:
    results = copy / "published" / "results"
    (results / "tvgbench.csv").rename(results / "tvgbenck.csv")
    with pytest.raises(UserError, match=r'no benchmark "tvgbenck".*Did you mean "tvgbench"'):
        load_board(copy, REGISTRY)


def test_columns_are_fixed(copy: Path) -> None:
    path = copy / "published" / "results" / "tvgbench.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [[*row, "x"] for row in csv.reader(file)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(UserError, match=r"tvgbench\.csv: the columns must be model,split,"):
        load_board(copy, REGISTRY)
