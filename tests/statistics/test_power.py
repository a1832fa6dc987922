import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtg_eval.statistics.power import (
    Precision,
    SampleSize,
    cluster_size,
    error_without_runs,
    minimum_detectable_effect,
    minimum_detectable_effect_at,
    needed,
)

ERRORS = st.floats(0.01, 20)
SIZES = st.builds(
    lambda videos, each: SampleSize(videos * each, videos), st.integers(5, 5000), st.integers(1, 30)
)


def independent(error, size):
    return Precision(error, size.videos - 1, size)


@st.composite
def precisions(draw):
    size = draw(SIZES)
    return Precision(draw(ERRORS), draw(st.integers(3, size.videos - 1)), size)


def test_detectable_by_hand():
    assert minimum_detectable_effect(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-4)
    assert minimum_detectable_effect(2.0, 10) == pytest.approx(2 * (2.228139 + 0.879058), abs=1e-5)
    assert minimum_detectable_effect(1.0, 0) == math.inf


def test_other_sizes_by_hand():
    here = Precision(2.0, 5, SampleSize(60, 20))
    assert here.on(80) == Precision(1.0, 20, SampleSize(240, 80))
    assert minimum_detectable_effect_at(here, 240) == minimum_detectable_effect(1.0, 20)


@settings(max_examples=20)
@given(precisions())
def test_what_a_size_detects_needs_that_size(here):
    assert here.on(here.size.videos) == here
    assert minimum_detectable_effect_at(here, here.size.samples) == here.minimum_detectable_effect
    assert needed(here, here.minimum_detectable_effect) == here.size


@settings(max_examples=20)
@given(precisions(), st.floats(0.5, 30))  # none needs more than 10**9 videos
def test_what_is_needed_is_enough_and_one_video_less_is_not(here, effect):
    found = needed(here, effect)
    assert here.on(found.videos).minimum_detectable_effect <= effect
    fewer = found.videos - 1
    assert fewer == 1 or here.on(fewer).minimum_detectable_effect > effect
    assert found.samples == found.videos * here.size.samples // here.size.videos


@settings(max_examples=20)
@given(precisions())
def test_a_smaller_lift_needs_more(here):
    found = [needed(here, effect).videos for effect in (5, 2, 1, 0.5)]
    assert found == sorted(found)


def test_what_cannot_be_had():
    assert needed(independent(1.0, SampleSize(10, 10)), 0.0) is None
    assert needed(independent(20.0, SampleSize(10, 10)), 1e-4) is None
    found = needed(independent(15.0, SampleSize(1188, 1188)), 0.0625)
    assert found is not None
    assert found.videos > 2**29


def test_error_by_assumption_by_hand():
    # 100 independent samples, half of them hits, runs that have nothing in common
    assert error_without_runs(50, 0.0, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.005))
    # as like as four of five: a fifth of the variance
    assert error_without_runs(50, 0.8, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.001))
    # all of a video say the same: the videos count, not the samples
    assert error_without_runs(50, 0.0, 1.0, [4] * 25) == pytest.approx(100 * math.sqrt(0.02))
    assert cluster_size([1, 3]) == 2.5
