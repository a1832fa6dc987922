"""Uncertainty: samples on the same video are not independent, so whole videos are resampled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
CHUNK = 1 << 20  # draws at a time: bounds memory, fits the cache


class Interval(NamedTuple):
    """An interval's ends, in the unit of the values."""

    low: float
    high: float


def cluster_bootstrap(
    values: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.intp],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[Interval, ...]:
    """Return a percentile bootstrap interval for the mean of each of M metrics.

    values: [N, M], clusters: [N], the number of each row's cluster (video). Clusters are drawn
    with replacement, as many as there are; a resample's mean is over its rows, so long videos
    weigh as much as their queries do (Field & Welsh 2007, cluster bootstrap of a ratio).
    Deterministic for a seed. Without rows the intervals are (0, 0).
    """
    rows, metrics = len(values), int(values.shape[1])
    if not rows:
        return (Interval(0.0, 0.0),) * metrics
    present, cluster = np.unique(clusters, return_inverse=True)
    count = len(present)
    totals = np.empty((count, metrics + 1))
    totals[:, metrics] = np.bincount(cluster, minlength=count)
    for column in range(metrics):
        totals[:, column] = np.bincount(cluster, weights=values[:, column], minlength=count)

    generator = np.random.default_rng(seed)
    means = np.empty((resamples, metrics))
    step = max(1, CHUNK // count)
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        # how often each cluster is in each resample, by counting draws into one long histogram
        draws = generator.integers(0, count, size=(size, count), dtype=np.int32)
        draws += (np.arange(size, dtype=np.int32) * count)[:, None]
        times = np.bincount(draws.ravel(), minlength=size * count).reshape(size, count)
        sums = times.astype(np.float64) @ totals
        means[first : first + size] = sums[:, :metrics] / sums[:, metrics:]
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return tuple(Interval(float(a), float(b)) for a, b in zip(low, high, strict=True))
