"""Student's t distribution, for intervals from few videos."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

LONG = 2000  # degrees of freedom above which the series is not used
LARGEST = 1e8  # above every quantile in use
NORMAL = NormalDist()


def t_cdf(t: float, degrees_of_freedom: int) -> float:
    """Return P(T <= t) for a whole number of degrees of freedom, at least 1.

    By the finite series for whole numbers (Abramowitz & Stegun, 26.7.3 and 26.7.4), and where
    that is long by a transformed normal distribution (26.7.8), which is then off by less than
    1e-7.
    """
    if degrees_of_freedom > LONG:
        return NORMAL.cdf(
            t * (1 - 0.25 / degrees_of_freedom) / math.sqrt(1 + t * t / (2 * degrees_of_freedom))
        )
    angle = math.atan2(t, math.sqrt(degrees_of_freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees_of_freedom % 2
    steps = np.arange(3 if odd else 2, degrees_of_freedom - 1, 2)
    series = 1.0 + float(np.cumprod((steps - 1) / steps * cosine * cosine).sum())
    if odd:
        share = (
            0.5 + (angle + (sine * cosine * series if degrees_of_freedom > 1 else 0.0)) / math.pi
        )
    else:
        share = 0.5 + sine * series / 2
    return min(max(share, 0.0), 1.0)  # rounding may leave the range in the tails


@lru_cache(maxsize=1024)
def t_ppf(share: float, degrees_of_freedom: int) -> float:
    """Return t with P(T <= t) = `share`, for a share between 0.5 and 1."""
    low, high = 0.0, 1.0
    while t_cdf(high, degrees_of_freedom) < share and high < LARGEST:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if t_cdf(middle, degrees_of_freedom) < share:
            low = middle
        else:
            high = middle
    return high
