import numpy as np
import pytest

from vtg_eval.stats import cluster_bootstrap, expanded_tail


def test_same_seed_same_interval():
    values = np.random.default_rng(1).random((300, 2))
    clusters = np.arange(300) // 3
    first = cluster_bootstrap(values, clusters, resamples=500, seed=7)
    assert first == cluster_bootstrap(values, clusters, resamples=500, seed=7)
    assert first != cluster_bootstrap(values, clusters, resamples=500, seed=8)


def test_order_of_rows_and_names_of_clusters_do_not_matter():
    generator = np.random.default_rng(2)
    values, clusters = generator.integers(0, 2, (200, 1)) * 100.0, np.arange(200) // 4
    order = generator.permutation(200)
    first = cluster_bootstrap(values, clusters, resamples=400)
    assert first == cluster_bootstrap(values[order], clusters[order] * 10, resamples=400)


def test_width_is_that_of_the_normal_approximation_for_independent_rows():
    values = (np.arange(1000) % 2)[:, None] * 1.0
    (interval,) = cluster_bootstrap(values, np.arange(1000))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / 1000**0.5, rel=0.05)


def test_equal_rows_in_a_cluster_widen_the_interval():
    values = np.repeat(np.arange(100) % 2, 9)[:, None] * 1.0
    (alone,) = cluster_bootstrap(values, np.arange(900))
    (together,) = cluster_bootstrap(values, np.arange(900) // 9)
    widening = (together.high - together.low) / (alone.high - alone.low)
    assert widening == pytest.approx(3.0, rel=0.1)


def test_too_few_videos_have_no_interval():
    (single,) = cluster_bootstrap(np.array([[0.0], [1.0]]), np.array([5, 5]), resamples=50)
    assert np.isnan(single).all()
    for interval in cluster_bootstrap(np.empty((0, 2)), np.empty(0, dtype=int)):
        assert np.isnan(interval).all()
    (four,) = cluster_bootstrap(np.arange(4.0)[:, None], np.arange(4))
    assert 0 <= four.low < 1.5 < four.high <= 3


def test_tails_are_the_levels_own_for_many_videos_and_further_out_for_few():
    assert expanded_tail(100_000) == pytest.approx(0.025, abs=1e-5)
    tails = [expanded_tail(videos) for videos in (3, 4, 6, 10, 30, 100, 1000)]
    assert tails == sorted(tails)
