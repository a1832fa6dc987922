import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.interval_sets import set_iou

NAN, INF = math.nan, math.inf
tenths = st.integers(0, 300).map(lambda n: n / 10)
sets = st.lists(st.tuples(tenths, tenths), max_size=6)
wild = st.lists(st.tuples(st.floats(), st.floats()), max_size=6)


def value(predicted, truth, strict):
    return float(set_iou([predicted], [truth], strict)[0])


@given(wild, wild)
def test_strict_is_bounded_for_any_floats(first, second):
    assert 0.0 <= value(first, second, True) <= 1.0


@given(sets, sets)
def test_strict_is_symmetric(first, second):
    assert value(first, second, True) == value(second, first, True)


@given(sets)
def test_strict_is_one_for_the_same_set_in_any_order(intervals):
    expected = float(any(start < end for start, end in intervals))
    assert value(intervals, intervals[::-1], True) == expected


@given(sets, sets)
def test_both_rules_agree_on_proper_intervals(first, second):
    first, second = ([s for s in spans if s[0] < s[1]] for spans in (first, second))
    assert value(first, second, True) == min(1.0, value(first, second, False))


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        ([(0, 10)], [(5, 15)], 1 / 3),
        ([(20, 30), (0, 10)], [(0, 10)], 0.5),
        ([(0, 10), (5, 15)], [(0, 15)], 1.0),
        ([(0, 5), (5, 10)], [(0, 10)], 1.0),
        ([(0, 9), (2, 3)], [(0, 9)], 1.0),
        ([], [(0, 10)], 0.0),
        ([], [], 0.0),
        ([(4, 4)], [(4, 4)], 0.0),
    ],
)
def test_intervals_that_overlap_or_touch_are_merged_first(predicted, truth, expected, strict):
    assert value(predicted, truth, strict) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predicted", "official", "strict"),
    [
        ([(0, 10), (30, 20)], 1.0, 0.5),
        ([(0, 20), (30, 20)], 2.0, 1.0),
        ([(0, 20), (40, 20)], 0.0, 1.0),
        ([(0, 20), (5, NAN)], 1.0, 1.0),
        ([(0, NAN)], 0.0, 0.0),
        ([(0, INF)], 0.0, 0.0),
        ([(0, 20), (NAN, 5)], 0.0, 1.0),
    ],
)
def test_reversed_and_non_finite_intervals_under_both_rules(predicted, official, strict):
    assert value(predicted, [(0, 20)], False) == official
    assert value(predicted, [(0, 20)], True) == strict


def test_there_is_one_value_a_sample_and_inputs_are_not_changed():
    table = np.array([[5.0, 15.0], [0.0, 10.0]])
    assert set_iou([table, []], [[(0, 15)], [(0, 1)]]).tolist() == [1.0, 0.0]
    assert table.tolist() == [[5.0, 15.0], [0.0, 10.0]]


def test_every_sample_needs_a_truth():
    with pytest.raises(ValueError, match="shorter"):
        set_iou([[(0, 1)]], [])
