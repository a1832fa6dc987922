import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.iou import IOUS, existing, iou, signed_iou, spreading_iou, truth_first_iou

NAN, INF = math.nan, math.inf
hundredths = st.integers(0, 6000).map(lambda n: n / 100)
spans = st.tuples(hundredths, hundredths)
proper = spans.map(sorted).filter(lambda s: s[0] < s[1])
anything = st.tuples(st.floats(), st.floats())


def value(first, second, rule=iou) -> float:
    return float(rule(np.array(first, dtype=float), np.array(second, dtype=float)))


@given(proper, proper)
def test_iou_is_symmetric(first, second):
    assert value(first, second) == value(second, first)


@given(proper, proper)
def test_iou_is_1_only_for_equal_spans(first, second):
    assert (value(first, second) == 1.0) == (first == second)


@given(anything, anything)
def test_iou_lies_within_0_and_1_for_any_floats(first, second):
    assert 0.0 <= value(first, second) <= 1.0


@given(anything, proper)
def test_only_finite_ordered_spans_overlap(prediction, target):
    if not (np.isfinite(prediction).all() and prediction[0] < prediction[1]):
        assert value(prediction, target) == 0.0


def test_iou_of_single_pairs():
    assert value((0, 10), (0, 5)) == 0.5
    assert value((0, 10), (5, 15)) == 5 / 15
    assert value((0, 10), (10, 20)) == 0.0
    assert value((5, 5), (5, 5)) == 0.0


def test_iou_broadcasts():
    one, many = np.array([[0.0, 10.0]]), np.array([[0.0, 10.0], [0.0, 5.0], [20.0, 30.0]])
    assert iou(one[:, None], many[None]).tolist() == [[1.0, 0.5, 0.0]]


@given(proper, proper)
def test_all_rules_agree_on_proper_spans(truth, span):
    strict = value(truth, span)
    assert value(truth, span, truth_first_iou) == strict
    assert value(truth, span, spreading_iou) == strict
    assert max(0.0, value(truth, span, signed_iou)) == strict


@given(proper, anything)
def test_a_finite_truth_keeps_the_truth_first_rule_finite_and_bounded(truth, span):
    assert 0.0 <= value(truth, span, truth_first_iou) <= 1.0


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((NAN, NAN), 1.0),
        ((NAN, 5), 0.5),
        ((5, NAN), 0.5),
        ((0, INF), 0.0),
        ((INF, INF), 0.0),
        ((-INF, INF), 0.0),
        ((10, 0), 0.0),
        ((5, 5), 0.0),
        ((-10, 10), 0.5),
    ],
)
def test_truth_first_replaces_a_nan_time_by_the_targets(span, expected):
    assert value((0, 10), span, truth_first_iou) == expected


def test_truth_first_does_not_divide_by_zero():
    assert value((5, 5), (5, 5), truth_first_iou) == 0.0


def test_signed_iou_can_be_negative_and_matches_reversed_spans():
    assert value((0, 10), (20, 30), signed_iou) == pytest.approx(-1 / 3)
    assert value((0, 10), (10, 0), signed_iou) == -1.0
    assert value((8, 7), (8, 7), signed_iou) == 1.0
    assert math.isnan(value((5, 5), (5, 5), signed_iou))
    assert value((0, 10), (NAN, NAN), signed_iou) == 1.0


@pytest.mark.parametrize(
    ("truth", "span"),
    [
        ((0, 10), (NAN, NAN)),
        ((0, 10), (0, NAN)),
        ((0, 10), (NAN, 10)),
        ((5, 5), (5, 5)),
        ((8, 7), (8, 7)),
        ((8, 2), (7, 3)),
        ((0, INF), (0, INF)),
    ],
)
def test_spreading_gives_nan(truth, span):
    assert math.isnan(value(truth, span, spreading_iou))


@pytest.mark.parametrize("span", [(10, 0), (5, 5), (0, INF), (20, 30), (INF, INF)])
def test_spreading_gives_zero_without_overlap(span):
    assert value((0, 10), span, spreading_iou) == 0.0


def test_every_rule_has_a_name():
    assert list(IOUS) == ["zero", "truth-first", "signed", "spread"]
    assert IOUS["zero"] is iou


def test_rows_of_two_nan_are_padding():
    rows = np.array([[0.0, 1.0], [NAN, 1.0], [0.0, NAN], [NAN, NAN]])
    assert existing(rows).tolist() == [True, True, True, False]
