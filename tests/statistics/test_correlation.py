import numpy as np
import pytest

from vtg_eval.statistics.correlation import correlation


def test_correlation_by_hand_and_against_numpy():
    assert correlation(np.array([0.0, 1.0, 2.0]), np.array([5.0, 7.0, 9.0])) == 1.0
    assert correlation(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])) == 0.0
    first, second = np.random.default_rng(0).random((2, 500))
    expected = np.corrcoef(first, second - first)[0, 1]
    assert correlation(first, second - first) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.1, 0.1, 0.1], [0.1, np.nan, 0.3]], ids=["none", "one", "same", "nan"]
)
def test_correlation_is_none_where_it_is_undefined(values):
    other = np.arange(len(values), dtype=np.float64)
    series = np.array(values, dtype=np.float64)
    assert correlation(series, other) is None
    assert correlation(other, series) is None
