import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.bootstrap import Interval, Resampled, resampled_means
from vtg_eval.statistics.difference import Difference, difference, holm, wins

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@st.composite
def changes(draw):
    """Changes of samples on videos: values from -1 to 1, and the videos' numbers."""
    videos = draw(st.integers(4, 10))
    kind = draw(st.sampled_from([st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1)]))
    rows = draw(st.lists(st.tuples(kind, st.integers(0, videos - 1)), min_size=20, max_size=40))
    values, clusters = zip(*rows, strict=True)
    return np.array(values), np.array((*clusters[:-videos], *range(videos)))[: len(values)]


def estimate(values, clusters, resamples=1999):
    (resampled,) = resampled_means(values[:, None], clusters, resamples=resamples).columns()
    return difference(float(values.mean()), resampled, len(set(clusters.tolist())))


@given(changes())
def test_p_is_at_most_0_05_exactly_where_the_interval_excludes_0(data):
    one = estimate(*data)
    if one.interval is None:
        assert one.p is None
    else:
        outside = one.interval.low > 0 or one.interval.high < 0
        assert (one.p <= 0.05 + 1e-9) == outside
        assert 0 < one.p <= 1


@given(changes())
def test_swapping_the_runs_changes_the_signs_only(data):
    values, clusters = data
    one, other = estimate(values, clusters), estimate(-values, clusters)
    assert other.value == -one.value
    assert (other.error, other.p) == (one.error, one.p)
    if one.interval is not None:
        assert other.interval == (-one.interval.high, -one.interval.low)


@given(changes(), st.floats(-3, 3))
def test_a_constant_shifts_the_difference_and_its_interval(data, constant):
    values, clusters = data
    one, moved = estimate(values, clusters), estimate(values + constant, clusters)
    assert moved.value == pytest.approx(one.value + constant, abs=1e-9)
    assert moved.error == pytest.approx(one.error, abs=1e-9)
    if one.interval is not None:
        assert moved.interval == pytest.approx([end + constant for end in one.interval], abs=1e-9)


@given(changes(), st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(data, random):
    values, clusters = data
    order = list(range(len(values)))
    random.shuffle(order)
    one, other = estimate(values, clusters), estimate(values[order], clusters[order])
    assert other.error == pytest.approx(one.error, abs=1e-12)
    if one.interval is not None:
        assert other.interval == pytest.approx(one.interval, abs=1e-12)


def test_without_any_change_difference_and_interval_are_0():
    same = estimate(np.zeros(30), np.arange(30) // 3)
    assert same == Difference(0.0, 0.0, 9, Interval(0.0, 0.0), 1.0)


def test_the_interval_is_that_of_the_t_distribution_for_values_without_outliers():
    values = np.linspace(-1, 2, 12)
    one = estimate(values, np.arange(12), resamples=200_000)
    half = 2.200985 * values.std(ddof=1) / math.sqrt(12)  # t(97.5 %), 11 degrees of freedom
    assert (one.interval.high - one.interval.low) / 2 == pytest.approx(half, rel=0.05)
    assert one.error == pytest.approx(values.std(ddof=1) / math.sqrt(12), rel=0.01)


def test_samples_of_one_video_count_as_one():
    values = np.random.default_rng(4).standard_normal(50)
    alone = estimate(values, np.arange(50))
    together = estimate(np.repeat(values, 8), np.repeat(np.arange(50), 8))
    assert together.interval == pytest.approx(alone.interval)
    assert together.p == pytest.approx(alone.p)


@pytest.mark.parametrize("videos", [1, 2, 3])
def test_fewer_than_four_videos_give_no_interval_and_no_p(videos):
    one = estimate(np.linspace(0.1, 1, 12), np.arange(12) % videos)
    assert (one.interval, one.p) == (None, None)


def test_a_nan_difference_has_no_error_interval_or_p():
    for value, means in ((math.nan, np.zeros(100)), (1.0, np.array([1.0, math.nan]))):
        one = difference(value, Resampled(means, np.zeros(11)), 10)
        assert (one.error, one.interval, one.p) == (None, None, None)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


@given(P_VALUES)
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values):
    adjusted = holm(values)
    for p, q in zip(values, adjusted, strict=True):
        assert p <= q <= min(1.0, len(values) * p) + 1e-12
    order = sorted(range(len(values)), key=lambda index: values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)


@given(P_VALUES)
def test_holm_treats_equal_p_values_alike(values):
    doubled = holm([*values, *values])
    assert doubled[: len(values)] == doubled[len(values) :]


def test_wins_by_hand():
    assert wins(np.array([0.0, 1.0, 0.5, 0.5]), np.array([0.5, 0.5, 0.5, 1.0])) == (2, 1, 1)
    assert wins(np.array([0.5]), np.array([math.nan])) == (0, 0, 1)
