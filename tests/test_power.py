import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtg_eval.power import Size, cluster_size, detectable, detectable_at, error_without_runs, needed

ERRORS = st.floats(0.01, 20)
SIZES = st.builds(
    lambda videos, each: Size(videos * each, videos), st.integers(5, 5000), st.integers(1, 30)
)


def test_detectable_by_hand():
    assert detectable(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-4)
    assert detectable(2.0, 11) == pytest.approx(2 * (2.228139 + 0.879058), abs=1e-5)
    assert detectable(1.0, 1) == math.inf


@settings(max_examples=20)
@given(ERRORS, SIZES)
def test_what_a_size_detects_needs_that_size(error, size):
    lift = detectable(error, size.videos)
    assert detectable_at(error, size, size.samples) == pytest.approx(lift)
    assert needed(error, size, lift * (1 + 1e-9)) == size


@settings(max_examples=20)
@given(ERRORS, SIZES, st.floats(0.5, 30))  # none needs more than 10**9 videos
def test_what_is_needed_is_enough_and_one_video_less_is_not(error, size, lift):
    found = needed(error, size, lift)
    spread = error * math.sqrt(size.videos)
    assert detectable(spread / math.sqrt(found.videos), found.videos) <= lift
    fewer = found.videos - 1
    assert fewer == 1 or detectable(spread / math.sqrt(fewer), fewer) > lift
    assert found.samples == found.videos * size.samples // size.videos


@settings(max_examples=20)
@given(ERRORS, SIZES)
def test_a_smaller_lift_needs_more(error, size):
    found = [needed(error, size, lift).videos for lift in (5, 2, 1, 0.5)]
    assert found == sorted(found)


def test_what_cannot_be_had():
    assert needed(1.0, Size(10, 10), 0.0) is None
    assert needed(20.0, Size(10, 10), 1e-4) is None
    assert needed(15.0, Size(1188, 1188), 0.0625) == Size(537089424, 537089424)  # above 2**29


def test_error_by_assumption_by_hand():
    # 100 independent samples, half of them hits, runs that have nothing in common
    assert error_without_runs(50, 0.0, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.005))
    # as like as four of five: a fifth of the variance
    assert error_without_runs(50, 0.8, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.001))
    # all of a video say the same: the videos count, not the samples
    assert error_without_runs(50, 0.0, 1.0, [4] * 25) == pytest.approx(100 * math.sqrt(0.02))
    assert cluster_size([1, 3]) == 2.5
