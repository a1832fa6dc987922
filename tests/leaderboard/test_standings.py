from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from vtg_eval.leaderboard.board import SHIPPED, Board, load_board
from vtg_eval.leaderboard.standings import model_standings, run_standings

from tests.leaderboard_case import ENTRY, FIGURES, part_of, with_spec
from vtg_eval.cli import main
from vtg_eval.registry import Registry
from vtg_eval.run.manifest import Subset

SITE = "attributed by wizwand, the page of TVG-R1"
CONFIRMED = f"{SITE}; confirmed by Video-OPD, Table 1, as copied in SCC Table 1 and CAPD Table 1"
PAGE = [
    ("Charades-STA test", "R1@0.5", "36.1", SITE),
    ("MLVU", "M-Avg", "69.7", SITE),
    ("Video-MME test without subtitles", "long", "52.7", SITE),
    ("CG-Bench", "mIoU", "2.43", SITE),
    ("NExT-GQA test", "mIoU", "29.2", SITE),
    ("LVBench test", "accuracy", "–", "listed by wizwand, the page of TVG-R1"),
    ("ActivityNet Captions", "R1@0.5", "33.7", SITE),
    ("ActivityNet-TimeLens test", "R1@0.3", "46.7", CONFIRMED),
    ("QVHighlights-TimeLens test", "R1@0.3", "55.8", CONFIRMED),
    ("Charades-TimeLens test", "R1@0.3", "44.5", CONFIRMED),
]


@pytest.fixture(scope="module")
def shipped() -> Board:
    return load_board(SHIPPED, Registry.discover())


@pytest.fixture
def board(shipped: Board) -> Callable[..., Board]:
    """Return Charades-STA alone with these runs."""
    return lambda *entries: part_of(shipped, *entries)


def test_the_page_of_the_paper_this_project_starts_from(capsys: Any) -> None:
    assert main(["leaderboard", "rank", "--published", "TVG-R1-7B", "--json", "-"]) == 0
    site, others = json.loads(capsys.readouterr().out)
    rows = site["standings"]
    assert [(r["dataset"], r["metric"], r["result"], r["mark"]) for r in rows] == PAGE
    assert [r["place"] is None for r in rows] == [r["result"] == "–" for r in rows]
    printed = {(r["dataset"], r["metric"]): r["result"] for r in others["standings"]}
    assert printed["Charades-STA test", "mIoU"] == "46.7"
    assert printed["NExT-GQA test", "mIoU"] == "29.3"


def test_the_page_as_text(capsys: Any) -> None:
    assert main(["leaderboard", "rank", "--published", "TVG-R1-7B"]) == 0
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines()[4:14]]
    cells = [[cell.strip() for cell in line[1:-1]] for line in lines]
    assert [(c[1], c[2], c[3], c[7]) for c in cells] == PAGE
    assert " of " in cells[0][4] and cells[5][4] == "–"
    assert "any setting (its own is not stated)" in cells[0][5]


def test_an_unknown_model_is_named(capsys: Any) -> None:
    assert main(["leaderboard", "rank", "--published", "TVG-R1"]) == 2
    assert 'Did you mean "TVG-R1-7B"?' in capsys.readouterr().err


def test_a_rank_is_among_rows_of_the_same_setting_and_split(shipped: Board) -> None:
    standings = {
        (s.dataset, s.metric): s
        for s in model_standings(shipped, "TimeLens-8B")
        if s.metric == "R1@0.5"
    }
    best = standings["Charades-TimeLens test", "R1@0.5"]
    assert best.place is not None and best.place.first == 1
    rows = [
        n
        for n in shipped.published.numbers
        if (n.benchmark, n.metric) == ("charades_timelens", "R1@0.5")
    ]
    zero_shot = {(n.model, n.value) for n in rows if n.setting == "zero-shot"}
    assert best.place.of == len(zero_shot)
    assert best.left_out == len([n for n in rows if n.setting != "zero-shot"])
    assert best.among == "zero-shot rows, test"
    assert dict(best.protocols)["timelens@1"] > 0


def test_a_run_is_ranked_among_published_rows_and_other_runs(board: Any) -> None:
    better = replace(
        ENTRY,
        name="better",
        figures=replace(
            FIGURES,
            metrics={"R1@0.5": 90.0, "mIoU": 80.0},
            intervals={"R1@0.5": (89.0, 91.0), "mIoU": (79.0, 81.0)},
        ),
    )
    alone = {s.metric: s for s in run_standings(board(ENTRY), ENTRY)}
    assert set(alone) == {"R1@0.5", "mIoU"}
    first = alone["R1@0.5"]
    assert first.result == "50.0 [48.0, 52.0]"
    assert (first.protocol, first.mark) == ("strict@2", "reproduced here")
    both = {s.metric: s for s in run_standings(board(ENTRY, better), ENTRY)}["R1@0.5"]
    assert first.place is not None and both.place is not None
    assert (both.place.first, both.place.of) == (first.place.first + 1, first.place.of + 1)
    top = {s.metric: s for s in run_standings(board(ENTRY, better), better)}["R1@0.5"]
    assert top.place is not None and (top.place.first, top.place.last) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        replace(ENTRY, name="other", setting="fine-tuned"),
        replace(ENTRY, name="other", subset=Subset("f" * 64, 100, 3720, limit=100)),
        with_spec(replace(ENTRY, name="other"), annotations="b" * 64),
        with_spec(replace(ENTRY, name="other"), task_version="2-A"),
        with_spec(replace(ENTRY, name="other"), split="train"),
    ],
    ids=["setting", "subset", "annotations", "version", "split"],
)
def test_runs_on_other_data_are_not_comparable(board: Any, other: Any) -> None:
    alone = run_standings(board(ENTRY), ENTRY)[0]
    beside = run_standings(board(ENTRY, other), ENTRY)[0]
    assert beside.place == alone.place
    assert beside.left_out == alone.left_out + 1


@pytest.mark.parametrize(
    "subset", [Subset("f" * 64, 100, 3720, limit=100), Subset("f" * 64, 100, 100)]
)
def test_a_part_is_only_ranked_among_runs_on_the_same_part(board: Any, subset: Subset) -> None:
    part = replace(ENTRY, subset=subset)
    standing = run_standings(board(part), part)[0]
    assert standing.place is None
    assert "NOT THE WHOLE SPLIT: 100 of 3720 samples (ffffffff)" in standing.among
    twin = replace(part, name="twin")
    assert str(run_standings(board(part, twin), part)[0].place) == "1–2 of 2"


def test_subtitles_are_a_condition() -> None:
    spec = {"task": "videomme", "protocol": {"name": "p@1", "prompt": {"subtitles": "all"}}}
    figures = replace(
        FIGURES,
        primary="accuracy",
        headline=("accuracy",),
        metrics={"accuracy": 70.0},
        intervals={},
        floors={},
    )
    run = with_spec(replace(ENTRY, subset=Subset("d" * 64, 2700, 2700), figures=figures), **spec)
    whole = load_board(SHIPPED, Registry.discover(), [run])
    (standing,) = run_standings(whole, run)
    assert standing.dataset == "Video-MME test with subtitles"
    assert standing.place is not None and standing.place.of == 6
    assert standing.left_out == 32


def test_a_run_with_subtitles_has_no_rank_on_a_benchmark_without_that_condition(board: Any) -> None:
    protocol = {"name": "strict-subtitles@2", "prompt": {"subtitles": "all"}}
    run = with_spec(ENTRY, protocol=protocol)
    assert all(standing.place is None for standing in run_standings(board(run), run))
