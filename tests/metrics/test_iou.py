import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.iou import iou

hundredths = st.integers(0, 6000).map(lambda n: n / 100)
spans = st.tuples(hundredths, hundredths)
proper = spans.map(sorted).filter(lambda s: s[0] < s[1])
anything = st.tuples(st.floats(), st.floats())


def value(first, second) -> float:
    return float(iou(np.array(first, dtype=float), np.array(second, dtype=float)))


@given(proper, proper)
def test_symmetric(first, second):
    assert value(first, second) == value(second, first)


@given(proper, proper)
def test_one_only_for_equal_spans(first, second):
    assert (value(first, second) == 1.0) == (first == second)


@given(anything, anything)
def test_bounded_for_any_floats(first, second):
    assert 0.0 <= value(first, second) <= 1.0


@given(anything, proper)
def test_only_finite_ordered_spans_overlap(prediction, target):
    if not (np.isfinite(prediction).all() and prediction[0] < prediction[1]):
        assert value(prediction, target) == 0.0


def test_values():
    assert value((0, 10), (0, 5)) == 0.5
    assert value((0, 10), (5, 15)) == 5 / 15
    assert value((0, 10), (10, 20)) == 0.0
    assert value((5, 5), (5, 5)) == 0.0


def test_broadcasts():
    one, many = np.array([[0.0, 10.0]]), np.array([[0.0, 10.0], [0.0, 5.0], [20.0, 30.0]])
    assert iou(one[:, None], many[None]).tolist() == [[1.0, 0.5, 0.0]]
