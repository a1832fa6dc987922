"""The beta distribution, for exact intervals of shares."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

PRECISION = 1e-14
DECIMALS = 12  # of quantiles: C libraries may differ in the last digits


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return P(X <= x), the regularised incomplete beta function, for a and b above 0.

    By its continued fraction (DLMF 8.17.22), by Lentz's method.
    """
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    # even and odd steps in turn; no denominator is 0 up to the x above
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction, step, change = d, 0, 0.0
    while abs(change - 1) > PRECISION:
        step += 1
        twice = a + 2 * step
        term = step * (b - step) * x / ((twice - 1) * twice)
        d = 1 / (1 + term * d)
        c = 1 + term / c
        fraction *= c * d
        term = -(a + step) * (a + b + step) * x / (twice * (twice + 1))
        d = 1 / (1 + term * d)
        c = 1 + term / c
        change = c * d
        fraction *= change
    return min(front * fraction / a, 1.0)


@lru_cache(maxsize=4096)
def beta_ppf(share: float, a: float, b: float) -> float:
    """Return x with P(X <= x) = `share`, to twelve decimals."""
    return round(root(lambda x: beta_cdf(x, a, b) - share, 0.0, 1.0), DECIMALS)


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function changes its sign between `low` and `high`, where its signs differ.

    By inverse quadratic interpolation, and by bisection where that is not safe (Chandrupatla
    1997).
    """
    first, second, third = high, low, high
    at_first, at_second = function(first), function(second)
    at_third = at_first
    part = 0.5
    while at_second:
        middle = first + part * (second - first)
        value = function(middle)
        if (value > 0) == (at_first > 0):
            third, at_third = first, at_first
        else:
            third, at_third = second, at_second
            second, at_second = first, at_first
        first, at_first = middle, value
        width = abs(second - first)
        tolerance = PRECISION * abs(first) + PRECISION**2
        if not value or width <= 2 * tolerance:
            return first
        ratio = (first - second) / (third - second)
        rise = (at_first - at_second) / (at_third - at_second)
        part = 0.5
        if rise * rise < ratio and (1 - rise) ** 2 < 1 - ratio:
            part = at_first / (at_second - at_first) * at_third / (at_second - at_third) + (
                third - first
            ) / (second - first) * at_first / (at_third - at_first) * at_second / (
                at_third - at_second
            )
        least = tolerance / width
        part = min(max(part, least), 1 - least)
    return second
