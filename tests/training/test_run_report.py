"""The report of a training prints no "nan"."""

import math
from dataclasses import replace

from vtg_eval.training.data.sample import Difficulty, TrainingSample
from vtg_eval.training.data.selection import select_samples
from vtg_eval.training.evaluation import START, TRAINED
from vtg_eval.training.recipe import SelectionRule
from vtg_eval.training.run_report import curve_table, score_table, selection_table

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
