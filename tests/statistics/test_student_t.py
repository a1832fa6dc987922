import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.student_t import t_cdf, t_ppf

# from printed tables
TABLE = {
    (0.975, 1): 12.706205,
    (0.975, 2): 4.302653,
    (0.975, 3): 3.182446,
    (0.975, 10): 2.228139,
    (0.975, 100): 1.983972,
    (0.8, 4): 0.940965,
    (0.995, 7): 3.499483,
}


@pytest.mark.parametrize(("share", "degrees_of_freedom"), TABLE)
def test_quantiles_are_those_of_printed_tables(share, degrees_of_freedom):
    assert t_ppf(share, degrees_of_freedom) == pytest.approx(
        TABLE[share, degrees_of_freedom], abs=1e-6
    )


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert t_ppf(0.975, 10**6) == pytest.approx(1.959966, abs=1e-5)


@given(st.floats(-50, 50), st.integers(1, 300))
def test_the_distribution_is_symmetric_and_quantiles_invert_it(t, degrees_of_freedom):
    share = t_cdf(t, degrees_of_freedom)
    assert 0 <= share <= 1
    assert share + t_cdf(-t, degrees_of_freedom) == pytest.approx(1, abs=1e-12)
    if 0.5 <= share < 0.9999:
        assert t_ppf(share, degrees_of_freedom) == pytest.approx(t, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("t", [-5.0, -2.0, -0.3, 0.0, 1.0, 1.96, 4.0])
def test_the_approximation_for_many_degrees_of_freedom_agrees_with_the_exact_value(t, monkeypatch):
    approximate = t_cdf(t, 3001)
    monkeypatch.setattr("vtg_eval.statistics.student_t.LONG", 4000)
    assert approximate == pytest.approx(t_cdf(t, 3001), abs=1e-7)


def test_one_degree_of_freedom_is_the_cauchy_distribution():
    assert t_cdf(1.0, 1) == pytest.approx(0.75)
    assert t_cdf(math.tan(0.3 * math.pi), 1) == pytest.approx(0.8)
