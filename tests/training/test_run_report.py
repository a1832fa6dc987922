"""The report of a training prints no "nan"."""

import math
from dataclasses import replace

from vtg_eval.training.evaluation import START, TRAINED
from vtg_eval.training.run_report import curve_table, score_table

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
