import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.bootstrap import (
    Resampled,
    cluster_bootstrap,
    degrees_of_freedom,
    expanded_tail,
    interval,
    resampled_means,
)
from vtg_eval.statistics.draws import Draws


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).random((300, 2))
    clusters = np.arange(300) // 3
    first = cluster_bootstrap(values, clusters, resamples=500, seed=7)
    assert first == cluster_bootstrap(values, clusters, resamples=500, seed=7)
    assert first != cluster_bootstrap(values, clusters, resamples=500, seed=8)


def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter():
    generator = np.random.default_rng(2)
    values = 100 * generator.integers(0, 2, (200, 1)).astype(np.float64)
    clusters = np.arange(200) // 4
    order = generator.permutation(200)
    first = cluster_bootstrap(values, clusters, resamples=400)
    assert first == cluster_bootstrap(values[order], clusters[order] * 10, resamples=400)


def test_the_width_for_independent_rows_is_that_of_the_normal_approximation():
    values = (np.arange(1000) % 2)[:, None].astype(np.float64)
    (interval,) = cluster_bootstrap(values, np.arange(1000))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / 1000**0.5, rel=0.05)


def test_equal_rows_in_a_cluster_widen_the_interval():
    values = np.repeat(np.arange(100) % 2, 9)[:, None] * 1.0
    (alone,) = cluster_bootstrap(values, np.arange(900))
    (together,) = cluster_bootstrap(values, np.arange(900) // 9)
    widening = (together.high - together.low) / (alone.high - alone.low)
    assert widening == pytest.approx(3.0, rel=0.1)


def test_fewer_than_four_videos_have_no_interval():
    (single,) = cluster_bootstrap(np.array([[0.0], [1.0]]), np.array([5, 5]), resamples=50)
    assert np.isnan(single).all()
    for empty in cluster_bootstrap(np.empty((0, 2)), np.empty(0, dtype=int)):
        assert np.isnan(empty).all()
    (four,) = cluster_bootstrap(np.arange(4, dtype=np.float64)[:, None], np.arange(4))
    assert 0 <= four.low < 1.5 < four.high <= 3


def test_tails_are_2_5_percent_for_many_videos_and_further_out_for_few():
    assert expanded_tail(100_000, 99_999) == pytest.approx(0.025, abs=1e-5)
    tails = [expanded_tail(videos, videos - 1) for videos in (3, 4, 6, 10, 30, 100, 1000)]
    assert tails == sorted(tails)
    tails = [expanded_tail(100, degrees) for degrees in (3, 6, 20, 99)]
    assert tails == sorted(tails)


@given(st.integers(2, 9), st.lists(st.integers(0, 8), min_size=20, max_size=30), st.integers(0, 99))
def test_the_mean_without_a_video_is_that_of_the_others(videos, clusters, seed):
    clusters = np.array([*range(videos), *(cluster % videos for cluster in clusters)])
    generator = np.random.default_rng(seed)
    values = generator.random((len(clusters), 2))
    counted = generator.random(values.shape) < 0.8
    without = resampled_means(values, clusters, counted, resamples=1).without
    assert without.shape == (videos + 1, 2)
    for video in range(videos + 1):  # the last row is without no video
        for metric in range(2):
            rows = (clusters != video) & counted[:, metric]
            expected = values[rows, metric].mean() if rows.any() else 0.0
            assert without[video, metric] == pytest.approx(expected, abs=1e-12)


@st.composite
def columns(draw):
    """Return values [N, M] of many sizes, some of them hits, what counts, and clusters [N]."""
    rows, metrics = draw(st.integers(2, 60)), draw(st.integers(2, 9))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    sizes = 10.0 ** np.array(draw(st.lists(st.integers(-320, 300), min_size=9, max_size=9)))
    values = generator.normal(size=(rows, metrics)) * sizes[:metrics]
    hits = generator.random(metrics) < 0.3
    values[:, hits] = values[:, hits] > 0
    counted = generator.random(values.shape) < 0.9
    return values, counted, generator.integers(0, draw(st.integers(2, 40)), rows)


@given(columns(), st.randoms())
def test_resamples_of_a_metric_do_not_depend_on_the_other_metrics(case, random):
    values, counted, clusters = case
    among = resampled_means(values, clusters, counted, resamples=40)
    order = random.sample(range(values.shape[1]), values.shape[1])
    mixed = resampled_means(values[:, order], clusters, counted[:, order], resamples=40)
    for kept, other in zip(among, mixed, strict=True):
        np.testing.assert_array_equal(kept[:, order], other)
    for metric, mask in enumerate(counted.T):
        alone = resampled_means(values[:, [metric]], clusters, mask[:, None], resamples=40)
        for kept, single in zip(among, alone, strict=True):
            np.testing.assert_array_equal(kept[:, metric], single[:, 0])


def test_nan_in_one_metric_does_not_change_the_others():
    values = np.random.default_rng(4).random((50, 3))
    kept = resampled_means(values, np.arange(50), resamples=40)
    values[7, 1] = np.nan
    with_nan = resampled_means(values, np.arange(50), resamples=40)
    assert np.isnan(with_nan.values[:, 1]).all() and np.isnan(with_nan.without[:, 1]).all()
    np.testing.assert_array_equal(with_nan.values[:, [0, 2]], kept.values[:, [0, 2]])


@given(columns())
def test_resampled_means_are_exact_up_to_the_rounding_of_a_sum(case):
    values, counted, clusters = case
    resampled = resampled_means(values, clusters, counted, resamples=40)
    present, cluster = np.unique(clusters, return_inverse=True)
    count = len(present)
    draws = Draws(count, 0).take(40 * count).reshape(40, count).tolist()
    for column, mask, means in zip(values.T, counted.T, resampled.values.T, strict=True):
        parts = [column[mask & (cluster == k)] for k in range(count)]
        totals = [math.fsum(part) for part in parts]
        largest = max(np.abs(part).sum() for part in parts)
        for resample, mean in zip(draws, means.tolist(), strict=True):
            number = max(sum(len(parts[k]) for k in resample), 1)
            true = math.fsum(totals[k] for k in resample) / number
            allowed = 2.0**-51 * count * (count + len(column)) * largest / number
            assert abs(mean - true) <= allowed + 5e-324


@pytest.mark.parametrize("videos", [2, 100, 5000])
def test_resampled_means_of_usual_values_are_exact_to_twelve_digits(videos):
    clusters = np.arange(3 * videos) % videos
    values = np.random.default_rng(6).random(3 * videos)
    (resampled,) = resampled_means(values[:, None], clusters, resamples=20).columns()
    for resample, mean in zip(
        Draws(videos, 0).take(20 * videos).reshape(20, videos),
        resampled.values.tolist(),
        strict=True,
    ):
        true = math.fsum(values.reshape(3, videos)[:, resample].ravel().tolist()) / len(values)
        assert mean == pytest.approx(true, rel=1e-12)


def without_each(parts):
    """A metric of 10, computed without each cluster; `parts` are what clusters add to it."""
    return np.array([*(10 - np.array(parts, dtype=float)), 10.0])


def test_degrees_of_freedom_by_hand():
    # parts 1, -1, 1, -1 ...: the variance has no variance, so the most degrees of freedom
    assert degrees_of_freedom(without_each([1, -1] * 10), 20) == 19
    # 18 parts of -1 and 1, and -4 and 4: kurtosis 20 (18 + 512) / 50^2 = 4.24, excess 1.24,
    # corrected 19 / (18 * 17) (21 * 1.24 + 6) = 1.9895; 2 / (2 / 19 + 1.9895 / 20) = 9.77
    assert degrees_of_freedom(without_each([1, -1] * 9 + [4, -4]), 20) == 9
    # one video has all of the variance
    assert degrees_of_freedom(without_each([19.0] + [-1.0] * 19), 20) == 3


def test_videos_that_add_nothing_do_not_count():
    parts = [3.0, -1.0, 2.0, -4.0, 0.5, -0.5]
    assert degrees_of_freedom(without_each(parts), 6) == degrees_of_freedom(
        without_each([*parts, *[0.0] * 30]), 6
    )


def test_degrees_of_freedom_of_few_videos_and_of_constant_metrics():
    assert [
        degrees_of_freedom(without_each([1.0, -1.0, 0.5][:videos]), videos) for videos in (1, 2, 3)
    ] == [
        1,
        1,
        2,
    ]
    assert degrees_of_freedom(without_each([0.0] * 12), 12) == 11
    assert degrees_of_freedom(np.full(13, np.nan), 12) == 11


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=40), st.floats(0.01, 100))
def test_degrees_of_freedom_have_bounds_and_do_not_depend_on_the_unit(parts, unit):
    degrees = degrees_of_freedom(without_each(parts), len(parts))
    assert 3 <= degrees <= len(parts) - 1
    scaled = Resampled(np.zeros(1), without_each(parts)).each(lambda figures: (figures - 10) * unit)
    # they differ by 1 where rounding decides
    assert abs(degrees_of_freedom(scaled.without, len(parts)) - degrees) <= 1


def test_intervals_of_rare_hits_reach_further_up():
    hits, values = np.arange(40), np.random.default_rng(5).random(40)
    values = values - values.mean() + 0.05
    rare = (hits < 2)[:, None].astype(np.float64)
    (few,) = resampled_means(rare, hits).columns()
    assert degrees_of_freedom(few.without, 40) < 15
    tail = expanded_tail(40, 39)
    plain = np.sort(few.values)[-int(tail * 10_001)]
    assert interval(few, 40).high > plain
    (even,) = resampled_means(values[:, None], hits).columns()
    assert degrees_of_freedom(even.without, 40) == 39
