"""The report of a training: no "nan", and a warning where answers are cut."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.sample import Difficulty, TrainingSample
from vtg_eval.training.data.selection import select_samples
from vtg_eval.training.evaluation import START, TRAINED
from vtg_eval.training.recipe import SelectionRule, make_recipe
from vtg_eval.training.run_report import curve_table, run_report, score_table, selection_table
from vtg_eval.training.workspace import Workspace

from tests.report.test_tables import RESULTS
from vtg_eval.run.results import SampleResult


def sample(name: str, value: float) -> SampleResult:
    return SampleResult(name, name, None, None, value, (), {"mIoU": value}, (), ())


def test_a_difference_on_few_videos_has_no_interval() -> None:
    before = replace(RESULTS, samples=(sample("a", 0.2), sample("b", 0.4)))
    after = replace(RESULTS, samples=(sample("a", 0.3), sample("b", 0.6)))
    text = score_table([(START, before), (TRAINED, after)])
    assert "mIoU, trained less start on the same 2 samples: +15.0." in text
    assert "nan" not in text


def test_the_selection_is_counted_rule_by_rule_with_histograms() -> None:
    samples = [
        TrainingSample(
            f"s{n}", "a.mp4", "q", (), "test",
            difficulty=Difficulty(mean, rewards=(0.0, 1.0), ious=(mean, mean)),
        )
        for n, mean in enumerate((0.05, 0.3, 0.35, 1.0))
    ]  # fmt: skip
    rule = SelectionRule(mean_iou=(0.0, 0.9), pass_rate=(0.5, 1.0), pass_iou=0.3)
    rows = selection_table(select_samples(samples, rule), rule).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if "|" in row]
    assert ["mean IoU, 0 to 0.9", "4", "1 (25%)", "s3"] in cells
    assert ["pass rate at IoU 0.3, 0.5 to 1", "3", "1 (33%)", "s0"] in cells
    assert ["0.3 to 0.4", "2", "2"] in cells  # of mean IoU
    assert ["0.9 to 1.0", "3", "2"] in cells  # of pass rates
    assert rows[-1] == "Selected for reinforcement learning: 2 of 4."


def test_a_metric_without_a_figure_is_a_dash() -> None:
    empty = replace(RESULTS, metrics={"R1@0.5": None, "mIoU": None}, intervals={})
    (row,) = (line for line in score_table([(START, empty)]).splitlines() if "start" in line)
    assert row.split() == ["|", "start", "|", "–", "|", "–", "|"]


def test_a_diverged_curve_says_so() -> None:
    log = [{"loss": 1.0, "kl": math.nan}, {"loss": math.inf, "kl": math.nan}]
    text = curve_table(log, ("loss", "kl", "entropy"))
    assert text.splitlines()[2:] == [
        "| loss     | 1            | not finite  |",
        "| kl       | not finite   | not finite  |",
    ]


FIGURE = st.none() | st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.lists(st.fixed_dictionaries({}, optional={"loss": FIGURE, "kl": FIGURE}), max_size=25))
def test_no_curve_prints_nan_or_inf(log: list[dict[str, float | None]]) -> None:
    text = curve_table(log, ("loss", "kl"))
    assert "nan" not in text and "inf" not in text.replace("not finite", "")


def rl_page(folder: Path, log: list[dict[str, float | None]], **rule: Any) -> str:
    """Return the report of a training that has run with this log, and nothing else."""
    workspace = Workspace(
        make_recipe(
            {
                "name": "tiny",
                "summary": "a test",
                "source": "this test",
                "model": {"checkpoint": "nano"},
                "data": {"train": ["a.jsonl"]},
                "rewards": {"tiou": 1.0},
                "rl": {"steps": len(log), "max_new_tokens": 64, **rule},
            }
        ),
        folder,
    )
    folder = workspace.round(1).rl
    folder.mkdir()
    workspace.data_report.write_text("# Leaks\n\nnone\n")
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    return run_report(workspace)


def test_a_log_without_any_value_makes_a_page_without_nan(tmp_path: Path) -> None:
    page = rl_page(tmp_path, [{"step": 1, "reward": None, "constant_groups": math.nan}])
    assert "which teach nothing: – over all steps" in page
    assert not re.search(r"\bnan\b", page)


@pytest.mark.parametrize(
    ("rule", "advice"),
    [({}, "rl.mask_cut_answers = true"), ({"mask_cut_answers": True}, "left out of the loss")],
)
def test_answers_that_are_cut_are_warned_of(tmp_path: Path, rule: Any, advice: str) -> None:
    page = rl_page(tmp_path, [{"answers_cut": cut} for cut in (0.2, 0.5, 0.25, 0.0)], **rule)
    warning = "in 2 of 4 steps more than 20% of the answers were cut at 64 tokens, 50% at most."
    assert warning in page and advice in page


def test_few_answers_that_are_cut_are_not(tmp_path: Path) -> None:
    assert "Warning" not in rl_page(tmp_path, [{"answers_cut": 0.2}, {"answers_cut": None}])
