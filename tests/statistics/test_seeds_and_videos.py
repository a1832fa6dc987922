"""Means over seeds and videos: the special cases with a known answer, and the coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.seeds_and_videos import crossed_mean
from vtg_eval.statistics.student_t import t_cdf

SEEDS, VIDEOS = 8, 40
ONE_EACH = np.arange(VIDEOS)


def test_without_differences_between_videos_it_is_the_t_test_over_seeds() -> None:
    of_seeds = np.array([3.0, -1.0, 2.0, 4.0, 0.5, 1.0, -2.0, 6.0])
    mean = crossed_mean(np.repeat(of_seeds[:, None], VIDEOS, axis=1), ONE_EACH)
    error = of_seeds.std(ddof=1) / math.sqrt(SEEDS)
    assert mean.value == pytest.approx(of_seeds.mean())
    assert mean.error == pytest.approx(error)
    assert mean.degrees_of_freedom == SEEDS - 1
    assert mean.p == pytest.approx(2 * t_cdf(-of_seeds.mean() / error, SEEDS - 1))


def test_without_differences_between_seeds_it_is_the_t_test_over_videos() -> None:
    of_videos = np.random.default_rng(0).normal(1.0, 2.0, VIDEOS)
    mean = crossed_mean(np.tile(of_videos, (SEEDS, 1)), ONE_EACH)
    assert mean.error == pytest.approx(of_videos.std(ddof=1) / math.sqrt(VIDEOS))
    assert mean.degrees_of_freedom == VIDEOS - 1


@given(st.integers(0, 10_000))
def test_the_mean_is_over_samples_and_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    videos = np.concatenate([ONE_EACH, rng.integers(0, VIDEOS, 30)])
    values = rng.normal(size=(SEEDS, len(videos)))
    mean = crossed_mean(values, videos)
    assert mean.value == pytest.approx(values.mean())
    rows, columns = rng.permutation(SEEDS), rng.permutation(len(videos))
    other = crossed_mean(values[rows][:, columns], videos[columns])
    assert other.error == pytest.approx(mean.error)
    assert other.p == pytest.approx(mean.p)
    assert mean.interval is not None and mean.p is not None
    assert (mean.p <= 0.05) == (not mean.interval.low <= 0 <= mean.interval.high)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Seeds and videos both vary; an interval over videos alone covers far less often."""
    rng, covered = np.random.default_rng(1), 0
    trials = 1000
    for _ in range(trials):
        values = (
            rng.normal(0, 2.0, (SEEDS, 1))
            + rng.normal(0, 4.0, (1, VIDEOS))
            + rng.normal(0, 6.0, (SEEDS, VIDEOS))
        )
        interval = crossed_mean(values, ONE_EACH).interval
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    assert 0.93 <= covered / trials <= 0.98


@pytest.mark.parametrize("values", [np.zeros((1, 4)), np.full((3, 4), np.nan)])
def test_without_seeds_or_figures_there_is_no_interval(values) -> None:
    mean = crossed_mean(values, np.arange(4))
    assert (mean.interval, mean.p, mean.error) == (None, None, None)


def test_equal_values_are_certain() -> None:
    assert crossed_mean(np.zeros((3, 4)), np.arange(4)).p == 1
    assert crossed_mean(np.ones((3, 4)), np.arange(4)).interval == (1, 1)
