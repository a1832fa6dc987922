import math
from dataclasses import replace

import pytest

from vtg_eval.failures import Failure
from vtg_eval.report.tables import cell, interval_cell, report, score_table, subset_line
from vtg_eval.run.manifest import Subset
from vtg_eval.run.results import GroupResult, SampleResult, TaskResults
from vtg_eval.scoring.across_protocols import ProtocolScore

RESULTS = TaskResults(
    task="charades_sta",
    task_version="1-A",
    split="test",
    model="nano|x",
    checkpoint="c",
    protocol="strict@2",
    n_expected=2,
    n_scored=2,
    subset=Subset("abcdef0123456789", 2, 2),
    primary="mIoU",
    headline=("R1@0.5", "mIoU"),
    metrics={"R1@0.5": 50.0, "mIoU": 44.44},
    intervals={"R1@0.5": (0.0, 100.0), "mIoU": (40.04, 50.0)},
    failures={Failure.UNPARSED: 1},
    floors={"whole video": {"R1@0.5": 10.0, "mIoU": 27.04}},
    ceiling={"R1@0.5": 100.0, "mIoU": 97.5},
    scores_across_protocols=(
        ProtocolScore("strict@2", 2, {"mIoU": 44.44}, differs=False, why=()),
        ProtocolScore("x@1", 1, {"mIoU": None}, differs=True, why=("1 sample fewer", "IoU >")),
    ),
    groups=(GroupResult("length", "short", 1, {"R1@0.5": 0.0, "mIoU": 30.0}),),
    samples=(
        SampleResult("a", "v", (0.0, 1.0), None, 0.5, (), {"mIoU": 0.5}, ((0.0, 1.0),), ()),
        SampleResult("b", "v", None, None, 0.0, (), {"mIoU": 0.0}, (), ()),
    ),
)


def test_the_score_table_has_intervals_floors_and_ceiling() -> None:
    assert score_table(RESULTS).splitlines() == [
        "| charades_sta test, strict@2   | R1@0.5            | mIoU              |",
        "|-------------------------------|-------------------|-------------------|",
        "| nano\\|x                       | 50.0 [0.0, 100.0] | 44.4 [40.0, 50.0] |",
        "| floor: whole video            | 10.0              | 27.0              |",
        "| ceiling of the frames         | 100.0             | 97.5              |",
    ]


def test_the_report_has_failures_other_protocols_and_groups() -> None:
    text = report(RESULTS)
    assert "samples: 2, in the denominator: 2, videos: 1;" in text
    assert "failures: unparsed 1" in text
    rows = [line for line in text.splitlines() if line.startswith("| x@1")]
    assert [cell.strip() for cell in rows[0].split("|")] == [
        *("", "x@1", "1", "", "–", "1 sample fewer; IoU >", "")
    ]
    assert "| length: short | 1 " in text.replace("  ", " ")
    assert "SUBSET" not in text


@pytest.mark.parametrize(
    ("subset", "reason"),
    [
        (Subset("abcdef0123", 2, 9, limit=2), "the first 2"),
        (Subset("abcdef0123", 2, 9, missing_videos=("v", "w")), "2 videos are missing"),
        (Subset("abcdef0123", 2, 9), "the annotation file has another number than the task's card"),
    ],
)
def test_a_subset_is_marked_in_table_and_text(subset: Subset, reason: str) -> None:
    text = report(replace(RESULTS, subset=subset))
    assert ", SUBSET 2 of 9 (abcdef01)" in text.splitlines()[0]
    assert f"A SUBSET: 2 of 9 samples ({reason}), digest abcdef01" in " ".join(text.split())
    assert reason in subset_line(subset)


def test_absent_parts_are_left_out() -> None:
    bare = replace(
        RESULTS, floors={}, ceiling=None, scores_across_protocols=(), groups=(), failures={}
    )
    text = report(bare)
    assert not any(part in text for part in ("floor", "ceiling", "failures", "protocols", "length"))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(1.0, 2.0, "1.5 [1.0, 2.0]"), (None, None, "1.5"), (math.nan, math.nan, "1.5")],
)
def test_an_interval_that_is_no_number_is_left_out(
    low: float | None, high: float | None, text: str
) -> None:
    assert interval_cell(1.5, low, high) == text
    assert interval_cell(None, low, high)[0] == cell(math.nan) == cell(math.inf) == "–"


def test_invisible_characters_are_escapes() -> None:
    text = score_table(replace(RESULTS, model="na\u202eno\x1b[2J\n", task="t\u2066"))
    assert r"na\u202eno\x1b[2J\n" in text
    assert text.replace("\n", "").isprintable() and len(text.splitlines()) == 5
