"""Two runs on the same samples: a difference with its interval and p-value, wins and losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from vtg_eval.statistics.beta import root
from vtg_eval.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Floats,
    Interval,
    Resampled,
    degrees_of_freedom,
    percentiles,
)
from vtg_eval.statistics.student_t import t_cdf

NORMAL = NormalDist()
LEAST_P = 2 / RESAMPLES

Ends = Callable[[float], tuple[float, float]]
"""The ends of an interval, from its level."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The second run's figure minus the first's, in their unit.

    error: its standard error, with `degrees_of_freedom`. p: two-sided, for the hypothesis of no
    difference; at most 0.05 exactly where 0 is not inside the 95 % interval. All are None where the
    difference is not finite, interval and p also where there are too few videos.
    """

    value: float
    error: float | None = None
    degrees_of_freedom: int | None = None
    interval: Interval | None = None
    p: float | None = None


class Wins(NamedTuple):
    """Numbers of samples for which the second run is better, worse and equal."""

    better: int
    worse: int
    equal: int


def difference(
    value: float,
    resampled: Resampled,
    clusters: int,
    level: float = LEVEL,
    exact: Ends | None = None,
) -> Difference:
    """Return the difference `value` over K clusters with its error, interval and p-value.

    The interval is that of `vtg_eval.statistics.bootstrap.interval`, or `exact` where the changes
    are the same on nearly all clusters. The p-value is 1 minus the level of the interval that just
    reaches 0; its minimum with R resamples is about 2 / R.
    """
    values, without = resampled
    if not math.isfinite(value) or not np.isfinite(values).all():
        return Difference(value)
    if clusters < 2:
        return Difference(value)
    inflation = math.sqrt(clusters / (clusters - 1))
    error = float(values.std(ddof=1)) * inflation
    degrees = degrees_of_freedom(without, clusters)
    if exact is not None:
        return Difference(value, error, degrees, Interval(*exact(level)), _p_value(exact))
    ends = percentiles(values, clusters, degrees, level)
    if math.isnan(ends.low):
        return Difference(value, error, degrees)
    count = len(values) + 1
    beyond = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0)) + 1
    if 2 * beyond >= count:
        return Difference(value, error, degrees, ends, 1.0)
    reach = NORMAL.inv_cdf(beyond / count) / inflation
    return Difference(value, error, degrees, ends, 2 * t_cdf(reach, degrees))


def _p_value(ends: Ends) -> float:
    """Return 1 minus the level of the interval that just reaches 0, at least `LEAST_P`."""

    def distance(p: float) -> float:
        low, high = ends(1 - p)
        return max(low, -high)

    if distance(1.0) <= 0:
        return 1.0
    if distance(LEAST_P) >= 0:
        return LEAST_P
    return root(distance, LEAST_P, 1.0)


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for their number, in their order (Holm 1979).

    Rejecting at 0.05 keeps the probability of any false rejection at 5 % or less, whatever the
    dependence between the tests.
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def wins(first: Floats, second: Floats) -> Wins:
    """Compare two runs' values, each [N], sample by sample."""
    better = int(np.count_nonzero(second > first))
    worse = int(np.count_nonzero(second < first))
    return Wins(better, worse, len(first) - better - worse)
