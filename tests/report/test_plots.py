"""The numbers behind the plots, compared with counts by hand."""

import math

import numpy as np
import pytest

from tests.page_case import answer, moment, page_of, run_of
from vtg_eval.report.plots import CELLS, THRESHOLDS, bin_edges

SAMPLES = (
    moment("a/0", (0, 4)),
    moment("a/1", (2, 6)),
    moment("b/0", (5, 10)),
    moment("b/1"),
    moment("c/0", (1, 2), duration=100.0),
)
RUN = run_of(
    SAMPLES,
    [
        answer("a/0", "0 - 4"),
        answer("a/1", "2 - 4"),
        answer("b/0", "0 - 1"),
        answer("b/1", "it never happens"),
    ],
)
PLOTS = page_of(RUN).runs[0].plots


def test_shares_by_iou_have_a_bin_for_zero() -> None:
    shares = [40.0, *[0.0] * 4, 20.0, *[0.0] * 4, 40.0]  # 0 twice, 0.5 once, 1 twice
    assert PLOTS.ious == pytest.approx(shares)


def test_recall_counts_the_samples_at_or_above() -> None:
    assert PLOTS.recall is not None
    at = dict(zip(THRESHOLDS.round(2).tolist(), PLOTS.recall, strict=True))
    assert (at[0.0], at[0.02], at[0.5], at[0.52], at[1.0]) == (100, 60, 60, 40, 40)
    metrics = RUN.results(()).metrics
    for threshold in (0.3, 0.5, 0.7):
        assert at[threshold] == pytest.approx(metrics[f"R1@{threshold}"])


def test_a_scatter_has_samples_with_both_values_and_a_duration() -> None:
    start = PLOTS.start
    assert start.n == 3
    assert sum(cell.n for cell in start.cells) == 3
    assert {(cell.x, cell.y) for cell in start.cells} == {(0, 0), (10, 10), (25, 0)}
    assert start.error == 0.0
    assert [strip.n for strip in start.strips] == [1, 1, 1, 0, 0]
    assert start.strips[2].median == 0.0
    assert PLOTS.length.error == 2.0


def test_the_floor_is_measured_on_the_same_samples() -> None:
    run = page_of(RUN).runs[0]
    assert run.floor_plots is not None
    assert run.floor_name == "blind: whole video"
    assert {cell.y for cell in run.floor_plots.length.cells} == {CELLS - 1}
    assert sum(run.floor_plots.ious or ()) == pytest.approx(100)


def test_bars_are_means_over_their_samples() -> None:
    bars = PLOTS.by_length
    assert sum(bar.n for bar in bars) == 4  # what never happens has no length
    assert bars[0].low == 1.0 and bars[-1].high == 5.0
    whole = sum(bar.n * bar.score for bar in bars) / 4
    assert whole == pytest.approx(100 * (1 + 0.5 + 0 + 0) / 4)
    assert all(bar.interval is None for bar in bars)  # two videos are too few


def test_bars_on_many_videos_have_an_interval() -> None:
    samples = [moment(f"v{n}/0", (0, 3 + 3 * (n % 2))) for n in range(24)]
    answers = [answer(f"v{n}/0", f"0 - {1 + n % 3}") for n in range(24)]
    bars = page_of(run_of(samples, answers)).runs[0].plots.by_length
    assert sum(bar.n for bar in bars) == 24
    for bar in bars:
        assert bar.interval is not None
        assert 0 <= bar.interval[0] < bar.score < bar.interval[1] <= 100


def test_bins_have_about_equal_counts() -> None:
    edges = bin_edges(np.array([math.nan, *range(60)]), 6)
    assert len(edges) == 7
    assert np.histogram(range(60), edges)[0].tolist() == [10] * 6
    assert bin_edges(np.full(9, 4.0)).tolist() == [4.0]
    assert len(bin_edges(np.full(9, math.nan))) == 0


def test_a_run_without_answers_or_samples_with_moments_has_plots_too() -> None:
    unanswered = page_of(run_of(SAMPLES, [])).runs[0].plots
    assert unanswered.ious == pytest.approx([100.0, *[0.0] * 10])
    assert unanswered.start.n == 0 and unanswered.start.correlation is None
    never = page_of(run_of([moment("a/0")], [])).runs[0].plots
    assert never.by_length == ()
