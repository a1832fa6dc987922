"""The tables: deterministic, current as committed, and safe with hostile texts."""

from __future__ import annotations

import csv
import html.parser
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vtg_eval.leaderboard.board import SHIPPED, Board, load_board
from vtg_eval.leaderboard.build import built_files, differing

from tests.folder_holder import held_elsewhere
from tests.leaderboard_case import (
    ENTRY,
    FIGURES,
    HOSTILE,
    board_copy,
    changed,
    part_of,
    tiny_run,
    with_spec,
)
from vtg_eval.cli import main
from vtg_eval.registry import Registry
from vtg_eval.run.manifest import Subset

Build = Callable[..., dict[str, str]]
COMMITTED = Path(__file__).parents[2] / "docs" / "leaderboard"


@pytest.fixture(scope="module")
def shipped() -> Board:
    return load_board(SHIPPED, Registry.discover())


@pytest.fixture(scope="module")
def files(shipped: Board) -> dict[str, str]:
    return built_files(shipped)


@pytest.fixture
def with_runs(shipped: Board) -> Build:
    """Build the files of Charades-STA alone with these runs."""
    return lambda *entries: built_files(part_of(shipped, *entries))


def test_two_builds_are_equal_and_equal_to_the_committed_tables(files: dict[str, str]) -> None:
    again = built_files(load_board(SHIPPED, Registry.discover()))
    assert {k: v.encode() for k, v in again.items()} == {k: v.encode() for k, v in files.items()}
    assert differing(files, COMMITTED) == [], "run `vtg-eval leaderboard build --out …` again"


def test_a_build_does_not_depend_on_the_folders(tmp_path: Path) -> None:
    for name in ("first", "second"):
        board = board_copy(tmp_path / name / "board")
        out = tmp_path / name / "out"
        assert main(["leaderboard", "build", "--board", str(board), "--out", str(out)]) == 0
    built = {
        name: {p.relative_to(tmp_path / name): p.read_bytes() for p in out.rglob("*.*")}
        for name in ("first", "second")
        for out in (tmp_path / name / "out",)
    }
    assert built["first"] == built["second"] and len(built["first"]) > 10


def test_check_names_files_that_are_not_current(tmp_path: Path, capsys: Any) -> None:
    out, arguments = tmp_path / "out", ["--board", str(board_copy(tmp_path / "board"))]
    assert main(["leaderboard", "build", *arguments, "--out", str(out)]) == 0
    assert main(["leaderboard", "build", *arguments, "--check", str(out)]) == 0
    changed(out / "charades_sta.md", "36.1", "63.1")
    (out / "tacos.csv").unlink()
    (out / "stray.md").write_text("x")
    capsys.readouterr()
    assert main(["leaderboard", "build", *arguments, "--check", str(out), "--json", "-"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["differ"] == ["charades_sta.md", "stray.md", "tacos.csv"]
    assert output.err.count("differs from a new build") == 3


def test_builds_that_start_at_once_leave_one_whole_build(tmp_path: Path) -> None:
    out, board = tmp_path / "out", board_copy(tmp_path / "board")
    code = "import sys; from vtg_eval.cli import main; sys.exit(main())"
    arguments = ["leaderboard", "build", "--board", str(board), "--out", str(out)]
    command = [sys.executable, "-c", code, *arguments]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [(process.communicate()[1], process.returncode) for process in processes]
    assert 0 in [status for _, status in ends]
    assert all(status == 0 or f"at work in {out}" in err for err, status in ends)
    assert main(["leaderboard", "build", "--board", str(board), "--check", str(out)]) == 0


def test_a_locked_folder_and_a_foreign_folder_are_refused(tmp_path: Path, capsys: Any) -> None:
    out, board = tmp_path / "out", board_copy(tmp_path / "board")
    arguments = ["leaderboard", "build", "--board", str(board), "--out", str(out)]
    with held_elsewhere(out):
        assert main(arguments) == 2
    assert "Another vtg-eval process is at work in" in capsys.readouterr().err
    with held_elsewhere(board):
        assert main(["leaderboard", "sign", "--board", str(board)]) == 2
    (out / "thesis.tex").touch()
    assert main(arguments) == 2
    assert "is no folder of a leaderboard, but holds thesis.tex" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["lock", "thesis.tex"]


def test_a_build_after_a_killed_build_is_complete(tmp_path: Path) -> None:
    out, arguments = tmp_path / "out", ["--board", str(board_copy(tmp_path / "board"))]
    out.mkdir()
    for name in ("charades_sta.md", ".0123456789abcdef.part", "lock"):
        (out / name).touch()
    assert main(["leaderboard", "build", *arguments, "--out", str(out)]) == 0
    assert main(["leaderboard", "build", *arguments, "--check", str(out)]) == 0


def test_without_a_folder_the_overview_is_printed(files: dict[str, str], capsys: Any) -> None:
    assert main(["leaderboard", "build"]) == 0
    assert capsys.readouterr().out == files["index.md"]


def test_every_number_is_in_every_format(shipped: Board, files: dict[str, str]) -> None:
    page = files["index.html"]
    for number in shipped.published.numbers:
        source = shipped.published.sources[number.source]
        shown = f"{number.text} {shipped.mark(number)}".strip()
        link = source.url or "sources.md"
        pattern = (
            rf"\[{re.escape(shown).replace('*', chr(92) * 2 + '*')}[ ≠]*\]\({re.escape(link)}\)"
        )
        pattern = pattern.replace("\\\\\\\\*", r"\\\*")
        assert re.search(pattern, files[f"{number.benchmark}.md"]), number
        assert number.text in files[f"{number.benchmark}.tex"]
        assert number.text in page


def test_each_reported_row_of_the_csv_has_its_source(shipped: Board, files: dict[str, str]) -> None:
    rows = [
        row
        for slug in shipped.slugs
        for row in csv.DictReader(files[f"{slug}.csv"].splitlines())
        if row["kind"] == "reported"
    ]
    assert len(rows) == len(shipped.published.numbers)
    sources = shipped.published.sources
    assert all(row["link"] == sources[row["source"]].url and row["location"] for row in rows)


def test_floors_have_rows_of_their_own(files: dict[str, str]) -> None:
    page = files["charades_sta.md"].split("## Reported: test\n")[1]
    head, _, first = page.strip().splitlines()[:3]
    cells = dict(zip(head.split(" | "), first.split(" | "), strict=True))
    assert cells["| model"] == "| floor: whole video"
    assert (cells["setting"], cells["R1@0.5"], cells["mIoU"]) == ("blind", "0.4", "27.0")
    assert cells["protocol"] == "strict@2"


def test_reported_and_reproduced_are_separate(files: dict[str, str], with_runs: Build) -> None:
    page = with_runs(ENTRY)["charades_sta.md"]
    reproduced, reported = page.split("## Reported: test\n")
    assert "## Reproduced here: test, strict@2, all 3720 samples" in reproduced
    assert f"[50.0 \\[48.0, 52.0\\]](manifests/{ENTRY.name}.json)" in reproduced
    assert ENTRY.name not in reported
    assert "floor: whole video" in reproduced
    assert "Failures of model: unparsed 1." in reproduced
    assert "Reproduced" not in files["charades_sta.md"]
    assert json.loads(with_runs(ENTRY)[f"manifests/{ENTRY.name}.json"]) == ENTRY.to_json()


def test_parts_of_a_split_never_share_a_table_with_the_whole(with_runs: Build) -> None:
    part = replace(ENTRY, name="part", subset=Subset("f" * 64, 100, 3720, limit=100))
    small = replace(ENTRY, name="small", subset=Subset("b" * 64, 3, 3))
    built = with_runs(ENTRY, part, small)
    titles = re.findall("## Reproduced here: (.*)", built["charades_sta.md"])
    assert titles == [
        "test, strict@2, NOT THE WHOLE SPLIT: 100 of 3720 samples (ffffffff)",
        "test, strict@2, NOT THE WHOLE SPLIT: 3 of 3720 samples (bbbbbbbb)",
        "test, strict@2, all 3720 samples",
    ]
    overview = next(x for x in built["index.md"].splitlines() if "[Charades-STA]" in x)
    assert f"manifests/{ENTRY.name}.json" in overview


def test_sources_that_disagree_are_shown(files: dict[str, str]) -> None:
    page = files["charades_sta.md"].split("## Where sources disagree")[1]
    row = next(x for x in page.splitlines() if "| Qwen2.5-VL-7B |" in x and "R1@0.5" in x)
    assert "| 34.6 |" in row and "60.32 (UniTime)" in row
    assert "60.32 ≠](https://arxiv.org/abs/2506.18883)" in files["charades_sta.md"]


def test_a_number_whose_setting_is_not_stated_disagrees_with_each(files: dict[str, str]) -> None:
    page = files["nextgqa.md"].split("## Where sources disagree")[1]
    assert "| TVG-R1-7B | test | unspecified, zero-shot | mIoU | [29.2](https://www.wizwand" in page
    assert "[29.2 †≠](https://www.wizwand" in files["nextgqa.md"]


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_makes_no_requests_and_runs_no_foreign_code(files: dict[str, str]) -> None:
    elements = Elements(files["index.html"]).elements
    policy = next(a["content"] for t, a in elements if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert [tag for tag, _ in elements].count("script") == 1
    assert not any({"src", "onclick", "onerror", "style"} & a.keys() for _, a in elements)
    links = {a["href"] or "" for tag, a in elements if tag == "a"}
    anchors = {f"#{a['id']}" for _, a in elements if "id" in a}
    assert all(x.startswith(("https://", "manifests/")) for x in links - anchors)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(with_runs: Build, text: str) -> None:
    figures = replace(FIGURES, floors={text: {"mIoU": 1.0, "R1@0.5": 1.0}}, failures={text: 1})
    entry = with_spec(replace(ENTRY, figures=figures), model=text)
    built = with_runs(entry)
    plain = with_runs(ENTRY)
    kinds = [tag for tag, _ in Elements(built["index.html"]).elements]
    assert kinds == [tag for tag, _ in Elements(plain["index.html"]).elements]
    lines = built["charades_sta.md"].splitlines()
    assert len(lines) == len(plain["charades_sta.md"].splitlines())
    assert not re.search(r"(?<!\\)\]\(javascript", built["charades_sta.md"])
    columns = {len(re.findall(r"(?<!\\)\|", x)) for x in lines[lines.index("") :] if x[:1] == "|"}
    expected = plain["charades_sta.md"].splitlines()
    assert columns == {len(re.findall(r"(?<!\\)\|", x)) for x in expected if x[:1] == "|"}
    assert "\\input{" not in built["charades_sta.tex"]
    rows = list(csv.reader(built["charades_sta.csv"].splitlines(keepends=True)))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_a_build_can_include_a_run_that_is_not_entered(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    out = tmp_path / "out"
    arguments = [str(run), "--data-root", str(tmp_path), "--out", str(out)]
    assert main(["leaderboard", "build", *arguments]) == 0
    assert "baseline:whole-video" in (out / "charades_sta.md").read_text()
    assert len(list((out / "manifests").glob("baseline*.json"))) == 1


def test_signing_is_a_deliberate_step(tmp_path: Path, capsys: Any) -> None:
    board = board_copy(tmp_path)
    arguments = ["--board", str(board)]
    assert main(["leaderboard", "sign", *arguments]) == 0
    assert capsys.readouterr().out == "nothing has changed\n"
    changed(board / "published" / "results" / "tvgbench.csv", ",41.8,", ",41.9,")
    assert main(["leaderboard", "build", *arguments]) == 2
    assert "tvgbench.csv, line 2 (Time-R1-7B, R1@0.3 41.9) was changed" in capsys.readouterr().err
    assert main(["leaderboard", "sign", *arguments]) == 0
    assert capsys.readouterr().out == "results/tvgbench.csv is signed again\n"
    assert main(["leaderboard", "build", *arguments]) == 0
