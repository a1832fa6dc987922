import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.beta import beta_cdf, beta_ppf, root
from vtg_eval.statistics.student_t import t_cdf

PARAMETERS = st.floats(0.05, 3000)


@given(st.floats(0, 1), st.integers(1, 30), st.integers(1, 30))
def test_the_distribution_is_the_tail_of_a_binomial_one_for_whole_parameters(x, a, b):
    count = a + b - 1
    tail = math.fsum(
        math.comb(count, hits) * x**hits * (1 - x) ** (count - hits) for hits in range(a, count + 1)
    )
    assert beta_cdf(x, a, b) == pytest.approx(tail, abs=1e-12)


@given(st.floats(0.01, 20), st.integers(1, 100))
def test_the_distribution_gives_that_of_student(t, degrees_of_freedom):
    share = beta_cdf(degrees_of_freedom / (degrees_of_freedom + t * t), degrees_of_freedom / 2, 0.5)
    assert 1 - share / 2 == pytest.approx(t_cdf(t, degrees_of_freedom), abs=1e-10)


@given(st.integers(0, 256), PARAMETERS, PARAMETERS)
def test_the_distribution_is_symmetric_and_rises(part, a, b):
    x = part / 256
    share = beta_cdf(x, a, b)
    assert 0 <= share <= 1
    assert share + beta_cdf(1 - x, b, a) == pytest.approx(1, abs=1e-9)
    assert beta_cdf(min(x + 0.01, 1), a, b) >= share - 1e-12


@given(st.floats(0.001, 0.999), PARAMETERS, PARAMETERS)
def test_quantiles_invert_the_distribution(share, a, b):
    x = beta_ppf(share, a, b)
    assert beta_cdf(x - 1e-9, a, b) - 1e-9 <= share <= beta_cdf(x + 1e-9, a, b) + 1e-9


# from scipy.special.betaincinv
@pytest.mark.parametrize(
    ("share", "a", "b", "value"),
    [
        (0.975, 1, 100, 0.036216692645),
        (0.025, 3, 200, 0.003073267898),
        (0.5, 0.5, 0.5, 0.5),
        (0.975, 2.5, 17000, 0.000377338669),
        (0.025, 0.3, 39.4, 8.1577e-8),
    ],
)
def test_quantiles_by_another_library(share, a, b, value):
    assert beta_ppf(share, a, b) == pytest.approx(value, rel=1e-5)


def test_roots():
    assert root(lambda x: x**3 - 2, 0, 4) == pytest.approx(2 ** (1 / 3), abs=1e-12)
    assert root(lambda x: x, 0, 4) == 0
    assert root(lambda x: math.copysign(1, x - 0.3), 0, 1) == pytest.approx(0.3, abs=1e-12)
