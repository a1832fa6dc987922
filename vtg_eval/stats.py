"""Uncertainty: samples on the same video are not independent, so whole videos are resampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.draws import Draws
from vtg_eval.student import quantile

LEVEL = 0.95
RESAMPLES = 10_000
CHUNK = 1 << 17  # draws at a time: they stay in the cache

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An interval's ends, in the unit of the values; NaN where there are too few clusters."""

    low: float
    high: float


def cluster_bootstrap(
    values: Floats,
    clusters: npt.NDArray[np.intp],
    counted: npt.NDArray[np.bool_] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[Interval, ...]:
    """Return a bootstrap interval for the mean of each of M metrics.

    Arguments as for `resampled_means`, the intervals as for `intervals`.
    """
    means = resampled_means(values, clusters, counted, resamples, seed)
    masks = np.ones(values.shape, dtype=np.bool_) if counted is None else counted
    return intervals(means, [len(np.unique(clusters[mask])) for mask in masks.T], level)


def resampled_means(
    values: Floats,
    clusters: npt.NDArray[np.intp],
    counted: npt.NDArray[np.bool_] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """Return the M means of each resample, [R, M].

    values: [N, M], clusters: [N], the number of each row's cluster (video), counted: bool
    [N, M], which rows are in each metric's denominator (None: all). Clusters are drawn with
    replacement, as many as there are; a resample's mean is over its rows, so long videos weigh
    as much as their queries do (Field & Welsh 2007, cluster bootstrap of a ratio).
    Deterministic for a seed. A mean over no rows is 0.
    """
    rows, metrics = values.shape
    if not rows:
        return np.zeros((resamples, metrics))
    present, cluster = np.unique(clusters, return_inverse=True)
    count = len(present)
    weights = np.ones((rows, 1)) if counted is None else counted.astype(np.float64)
    weights, which = _distinct(weights)
    if counted is not None:
        values = np.where(counted, values, 0.0)
    totals = np.stack(
        [np.bincount(cluster, weights=column, minlength=count) for column in (*values.T, *weights)],
        axis=1,
    )
    draws = Draws(count, seed)
    means = np.empty((resamples, metrics))
    step = max(1, CHUNK // count)
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        # how often each cluster is in each resample, by counting draws into one long histogram
        drawn = draws.take(size * count).reshape(size, count)
        drawn += (np.arange(size) * count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        sums = times.astype(np.float64) @ totals
        rows_drawn = sums[:, metrics:][:, which]
        means[first : first + size] = sums[:, :metrics] / np.maximum(rows_drawn, 1)
    return means


def intervals(means: Floats, clusters: Sequence[int], level: float = LEVEL) -> tuple[Interval, ...]:
    """Return the interval of each column of resampled figures [R, M].

    clusters: on how many clusters each column's figure rests, [M].
    """
    pairs = zip(means.T, clusters, strict=True)
    return tuple(interval(column, count, level) for column, count in pairs)


def interval(drawn: Floats, clusters: int, level: float = LEVEL) -> Interval:
    """Return the interval of one resampled figure, [R], over K clusters.

    The ends are percentiles of the resamples, further out than at the level's own tails (see
    `expanded_tail`). NaN where R resamples have no percentile so far out: with 4 clusters or more
    10,000 have.
    """
    count = len(drawn)
    place = math.floor(expanded_tail(clusters, level) * (count + 1)) if clusters > 1 else 0
    if place < 1:
        return Interval(math.nan, math.nan)
    ends = np.partition(drawn, (place - 1, count - place))
    return Interval(float(ends[place - 1]), float(ends[count - place]))


def expanded_tail(clusters: int, level: float = LEVEL) -> float:
    """Return the share of resamples beyond each end of the interval; 0.025 for many clusters.

    Few clusters spread less than what they are drawn from: the ends lie where a t distribution
    and K / (K - 1) put them (Hesterberg 2015, What Teachers Should Know about the Bootstrap,
    expanded percentiles).
    """
    reach = quantile((1 + level) / 2, clusters - 1) * math.sqrt(clusters / (clusters - 1))
    return NormalDist().cdf(-reach)


def _distinct(weights: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the distinct columns of [N, M] as rows [D, N], and which of them each column is."""
    kept: dict[bytes, int] = {}
    which = [kept.setdefault(column.tobytes(), len(kept)) for column in weights.T]
    first = [which.index(number) for number in range(len(kept))]
    return weights.T[first], np.array(which, dtype=np.intp)
