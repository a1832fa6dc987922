import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.iou import iou
from vtg_eval.metrics.segments import best_overlaps, segment_overlaps

NAN, INF = math.nan, math.inf
times = st.integers(0, 60).map(lambda n: n / 2)
proper = st.tuples(times, times).map(sorted).filter(lambda s: s[0] < s[1])


def best(span, segments, rule="zero", answered=None):
    mask = None if answered is None else np.array([answered])
    overlaps = best_overlaps(
        np.array([span], dtype=float), np.array([segments], dtype=float), rule, mask
    )
    return overlaps.iou.item(), overlaps.iop.item()


@given(st.tuples(st.floats(), st.floats()), st.lists(proper, min_size=1, max_size=5))
@pytest.mark.parametrize("rule", ["zero", "truth-first"])
def test_overlaps_lie_within_0_and_1_for_any_floats(rule, span, segments):
    assert all(0.0 <= value <= 1.0 for value in best(span, segments, rule, True))


@given(proper, st.lists(proper, min_size=1, max_size=5))
def test_iou_is_that_of_the_best_segment_and_never_above_iop(span, segments):
    overlap, part = best(span, segments)
    assert overlap == iou(np.array(span), np.array(segments)).max()
    assert overlap <= part


def test_iou_and_iop_may_come_from_different_segments():
    assert best((0, 10), [(0, 4), (2, 30)]) == (0.4, 0.8)


@pytest.mark.parametrize(
    ("segment", "span", "expected"),
    [
        ((2, 8), (8, 8), (0.0, 1.0)),
        ((2, 8), (9, 9), (0.0, 0.0)),
        ((5, 5), (5, 5), (0.0, 1.0)),
        ((2, 8), (8, 2), (-1.0, 0.0)),
        ((2, 8), (10, 14), (-2 / 12, -0.5)),
        ((2, 8), (-4, 8), (0.5, 0.5)),
        ((2, 8), (2, NAN), (1.0, 0.0)),
        ((2, 8), (NAN, 5), (0.5, 0.0)),
    ],
)
def test_overlaps_of_one_pair(segment, span, expected):
    overlaps = segment_overlaps(np.array(segment, dtype=float), np.array(span, dtype=float))
    assert (overlaps.iou.item(), overlaps.iop.item()) == pytest.approx(expected)


def test_the_best_overlap_is_at_least_0():
    assert best((8, 2), [(2, 8)]) == (0.0, 0.0)
    assert best((10, 14), [(2, 8)]) == (0.0, 0.0)


def test_a_nan_span_counts_only_as_an_answer_under_truth_first():
    assert best((NAN, NAN), [(2, 8)], "zero", True) == (0.0, 0.0)
    assert best((NAN, NAN), [(2, 8)], "truth-first", True) == (1.0, 0.0)
    assert best((NAN, NAN), [(2, 8)], "truth-first", False) == (0.0, 0.0)
    assert best((NAN, NAN), [(2, 8)], "truth-first") == (0.0, 0.0)
    assert best((2, INF), [(2, 8)], "truth-first") == (0.0, 0.0)


def test_padding_segments_do_not_count():
    assert best((0, 4), [(0, 4), (NAN, NAN)], "truth-first") == (1.0, 1.0)
    assert best((0, 4), [(NAN, NAN)], "truth-first") == (0.0, 0.0)
    assert best((0, 4), np.empty((0, 2))) == (0.0, 0.0)
