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
    lambda videos, n: SampleSize(videos * n, videos), st.integers(5, 5000), st.integers(1, 30)
)


def independent(error, size):
    return Precision(error, size.videos - 1, size)


@st.composite
def precisions(draw):
    size = draw(SIZES)
    return Precision(draw(ERRORS), draw(st.integers(3, size.videos - 1)), size)


def test_minimum_detectable_effect_by_hand():
    assert minimum_detectable_effect(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-4)
    assert minimum_detectable_effect(2.0, 10) == pytest.approx(2 * (2.228139 + 0.879058), abs=1e-5)
    assert minimum_detectable_effect(1.0, 0) == math.inf


def test_precision_on_other_sizes_by_hand():
    precision = Precision(2.0, 5, SampleSize(60, 20))
    assert precision.on(80) == Precision(1.0, 20, SampleSize(240, 80))
    assert minimum_detectable_effect_at(precision, 240) == minimum_detectable_effect(1.0, 20)


@settings(max_examples=20)
@given(precisions())
def test_the_minimum_detectable_effect_of_a_size_needs_that_size(precision):
    assert precision.on(precision.size.videos) == precision
    assert (
        minimum_detectable_effect_at(precision, precision.size.samples)
        == precision.minimum_detectable_effect
    )
    assert needed(precision, precision.minimum_detectable_effect) == precision.size


@settings(max_examples=20)
@given(precisions(), st.floats(0.5, 30))  # all of these need less than 10**9 videos
def test_the_needed_size_is_the_smallest_that_suffices(precision, effect):
    size = needed(precision, effect)
    assert precision.on(size.videos).minimum_detectable_effect <= effect
    fewer = size.videos - 1
    assert fewer == 1 or precision.on(fewer).minimum_detectable_effect > effect
    assert size.samples == size.videos * precision.size.samples // precision.size.videos


@settings(max_examples=20)
@given(precisions())
def test_a_smaller_effect_needs_more_videos(precision):
    videos = [needed(precision, effect).videos for effect in (5, 2, 1, 0.5)]
    assert videos == sorted(videos)


def test_an_effect_that_no_practical_size_detects_has_none():
    assert needed(independent(1.0, SampleSize(10, 10)), 0.0) is None
    assert needed(independent(20.0, SampleSize(10, 10)), 1e-4) is None
    size = needed(independent(15.0, SampleSize(1188, 1188)), 0.0625)
    assert size is not None
    assert size.videos > 2**29


def test_error_by_assumption_by_hand():
    # 100 independent samples, half of them hits, uncorrelated runs
    assert error_without_runs(50, 0.0, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.005))
    # correlation 0.8: a fifth of the variance
    assert error_without_runs(50, 0.8, 0.0, [1] * 100) == pytest.approx(100 * math.sqrt(0.001))
    # all samples of a video are equal: the number of videos counts
    assert error_without_runs(50, 0.0, 1.0, [4] * 25) == pytest.approx(100 * math.sqrt(0.02))
    assert cluster_size([1, 3]) == 2.5
