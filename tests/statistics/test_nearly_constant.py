import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.beta import beta_ppf
from vtg_eval.statistics.bootstrap import cluster_bootstrap, resampled_means
from vtg_eval.statistics.difference import difference
from vtg_eval.statistics.nearly_constant import nearly_constant

HITS, CHANGES = (0.0, 1.0), (-1.0, 1.0)
HIT = st.just(1.0)


@st.composite
def rare(draw, kinds=HIT):
    """Values that are 0 on all but few videos, and the samples' videos."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=20, max_size=60))
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = np.zeros(len(clusters))
    for video in draw(st.sets(st.integers(0, 19), max_size=9)):
        rows = np.flatnonzero(clusters == video)
        values[rows[: draw(st.integers(1, len(rows)))]] = draw(kinds)
    return values, clusters


def ends(values, clusters, bounds=HITS, level=0.95):
    near = nearly_constant(values, clusters, bounds)
    assert near is not None
    return near.ends(level)


@pytest.mark.parametrize("videos", [4, 30, 1000])
def test_without_a_hit_one_sample_a_video_gives_the_exact_binomial_interval(videos):
    low, high = ends(np.zeros(videos), np.arange(videos))
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / videos), abs=1e-11))


@given(st.integers(1, 9), st.integers(20, 200))
def test_one_sample_a_video_gives_the_interval_of_clopper_and_pearson(hits, videos):
    values = (np.arange(videos) < hits) * 1.0
    assert ends(values, np.arange(videos)) == pytest.approx(
        (beta_ppf(0.025, hits, videos - hits + 1), beta_ppf(0.975, hits + 1, videos - hits)),
        abs=1e-9,
    )


def test_without_a_hit_a_video_counts_as_one_sample():
    assert ends(np.zeros(400), np.arange(400) // 4) == ends(np.zeros(100), np.arange(100))
    # of uneven sizes as their effective number (Kish): 100 + 2 videos, 102**2 / 2600 = 4
    sizes = [50] + [1] * 50
    low, high = ends(np.zeros(100), np.repeat(np.arange(51), sizes))
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (2550 / 10_000), abs=1e-9))


def test_hits_of_one_video_are_worth_less_than_those_of_several():
    clusters = np.arange(400) // 4
    together, apart = np.zeros(400), np.zeros(400)
    together[:4], apart[:16:4] = 1, 1
    (low, high), (other_low, other_high) = ends(together, clusters), ends(apart, clusters)
    assert low < other_low < 0.01 < other_high < high


@given(rare(st.floats(0.01, 1)), st.randoms(use_true_random=False))
def test_intervals_have_width_hold_the_mean_and_do_not_depend_on_the_order(data, random):
    values, clusters = data
    low, high = ends(values, clusters)
    assert 0 <= low <= values.mean() + 1e-12
    assert values.mean() < high <= 1
    narrower = ends(values, clusters, level=0.8)
    assert low <= narrower[0] + 1e-12 and narrower[1] < high
    renamed = np.array(random.sample(range(60), 60))[clusters]
    order = random.sample(range(len(values)), len(values))
    assert ends(values[order], renamed[order]) == pytest.approx((low, high), abs=1e-9)


@given(rare())
def test_hits_and_misses_mirror_each_other(data):
    values, clusters = data
    low, high = ends(values, clusters)
    assert ends(1 - values, clusters) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(rare(st.sampled_from([-1.0, -0.4, 0.4, 1.0])))
def test_swapping_two_runs_mirrors_their_difference(data):
    values, clusters = data
    low, high = ends(values, clusters, CHANGES)
    assert -1 <= low < high <= 1 and low <= values.mean() <= high
    assert ends(-values, clusters, CHANGES) == pytest.approx((-high, -low), abs=1e-9)


@given(st.floats(-1, 1), st.integers(4, 50))
def test_any_constant_has_an_interval_within_the_bounds(constant, videos):
    low, high = ends(np.full(2 * videos, constant), np.arange(2 * videos) // 2, CHANGES)
    assert -1 <= low <= constant <= high <= 1
    assert high - low >= 0.99 * (1 - 0.025 ** (1 / videos))


@pytest.mark.parametrize(
    ("values", "videos"),
    [
        ((np.arange(40) < 10) * 1.0, 40),
        (np.linspace(0, 1, 12), 12),
        (np.zeros(9), 3),
        (np.zeros(0), 1),
        (np.array([0.0] * 30 + [math.nan]), 31),
        (np.array([0.0] * 30 + [1.5]), 31),
    ],
    ids=["ten hits", "varied", "three videos", "nothing", "nan", "out of bounds"],
)
def test_elsewhere_the_bootstrap_is_better(values, videos):
    assert nearly_constant(values, np.arange(len(values)) % videos, HITS) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_p_is_at_most_0_05_exactly_where_the_interval_excludes_0(sign):
    (nothing,) = resampled_means(np.zeros((200, 1)), np.arange(200), resamples=100).columns()
    outcomes = set()
    for gains in range(10):
        for losses in range(10 - gains):
            values = np.zeros(200)
            values[:gains], values[gains : gains + losses] = sign, -sign
            near = nearly_constant(values, np.arange(200), CHANGES)
            one = difference(near.value, nothing, 200, exact=near.ends)
            outside = one.interval.low > 0 or one.interval.high < 0
            assert (one.p <= 0.05) == outside
            assert 0 < one.p <= 1
            assert one.interval == near.ends(0.95)
            outcomes.add(outside)
            if gains == losses:
                assert one.p == 1
    assert outcomes == {True, False}


def test_the_bootstrap_takes_these_intervals_where_it_knows_the_bounds():
    values, clusters = np.zeros((60, 2)), np.arange(60) // 2
    values[::3, 1] = 1
    rare_hits, common = cluster_bootstrap(values, clusters, bounds=HITS)
    assert rare_hits == ends(values[:, 0], clusters)
    assert (common,) == cluster_bootstrap(values[:, 1:], clusters)
