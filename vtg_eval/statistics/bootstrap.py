"""Cluster bootstrap: samples on one video are not independent, so whole videos are resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from vtg_eval.statistics.draws import Draws
from vtg_eval.statistics.nearly_constant import nearly_constant
from vtg_eval.statistics.student_t import t_ppf

LEVEL = 0.95
RESAMPLES = 10_000
CHUNK = 1 << 17  # draws at a time, so that they fit in the processor's cache
FEW_VIDEOS = 30  # from here on intervals have their nominal coverage (docs/statistics.md)
MANTISSA, LEAST_EXPONENT = 53, -1074  # of float64
LEAST_DEGREES_OF_FREEDOM = 3  # of four or more clusters: the kurtosis of few values is no better

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An interval's ends, in the unit of the values; NaN where there are too few clusters."""

    low: float
    high: float


class Resampled(NamedTuple):
    """Figures of R resamples of K clusters, and the figures with each cluster left out.

    values: [R] or, for M figures, [R, M]. without: [K + 1] or [K + 1, M], the last of all clusters.
    """

    values: Floats
    without: Floats

    def each(self, change: Callable[[Floats], Floats]) -> Resampled:
        """Return figures derived from these, row by row."""
        return Resampled(change(self.values), change(self.without))

    def columns(self) -> Iterator[Resampled]:
        """Yield each of M figures."""
        for values, without in zip(self.values.T, self.without.T, strict=True):
            yield Resampled(values, without)


def cluster_bootstrap(
    values: Floats,
    clusters: npt.NDArray[np.intp],
    counted: npt.NDArray[np.bool_] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    bounds: tuple[float, float] | None = None,
) -> tuple[Interval, ...]:
    """Return an interval for the mean of each of M metrics, as `mean_interval` does.

    Other arguments as for `resampled_means`.
    """
    means = resampled_means(values, clusters, counted, resamples, seed)
    masks = np.ones(values.shape, dtype=np.bool_) if counted is None else counted
    return tuple(
        mean_interval(column[mask], clusters[mask], mean, bounds, level)
        for column, mask, mean in zip(values.T, masks.T, means.columns(), strict=True)
    )


def mean_interval(
    values: Floats,
    clusters: npt.NDArray[np.intp],
    resampled: Resampled,
    bounds: tuple[float, float] | None,
    level: float = LEVEL,
) -> Interval:
    """Return the interval of the mean of `values`, [N].

    clusters: [N], from 0; resampled: the mean, as `interval` takes it; bounds: of the values. The
    interval is that of the bootstrap, unless values with bounds are the same on nearly all clusters
    (see `nearly_constant`).
    """
    near = None if bounds is None else nearly_constant(values, clusters, bounds)
    if near is not None:
        return Interval(*near.ends(level))
    return interval(resampled, len(np.unique(clusters)), level)


def resampled_means(
    values: Floats,
    clusters: npt.NDArray[np.intp],
    counted: npt.NDArray[np.bool_] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resampled:
    """Return M means over the rows: of each resample, and with each cluster left out.

    values: [N, M], clusters: [N], the number of each row's cluster (video), counted: bool
    [N, M], which rows are in each metric's denominator (None: all). K clusters are drawn
    with replacement; a resample's mean is over its rows, so long videos weigh
    as much as their queries do (Field & Welsh 2007, cluster bootstrap of a ratio).
    Deterministic for a seed. A mean over no rows is 0.
    """
    rows, metrics = values.shape
    if not rows:
        return Resampled(np.zeros((resamples, metrics)), np.zeros((1, metrics)))
    present, cluster = np.unique(clusters, return_inverse=True)
    count = len(present)
    weights = np.ones((rows, 1)) if counted is None else counted.astype(np.float64)
    weights, weight_column = _distinct(weights)
    if counted is not None:
        values = np.where(counted, values, 0.0)
    totals = _exactly_addable(
        np.stack(
            [
                np.bincount(cluster, weights=column, minlength=count)
                for column in (*values.T, *weights)
            ],
            axis=1,
        )
    )

    def means(sums: Floats) -> Floats:
        counts = np.maximum(sums[:, metrics:][:, weight_column], 1)
        quotients: Floats = sums[:, :metrics] / counts
        return quotients

    overall = totals.sum(axis=0)
    return Resampled(
        values=means(np.concatenate([*_resampled_sums(totals, resamples, seed)])),
        without=means(overall - np.vstack([totals, np.zeros_like(overall)])),
    )


def _exactly_addable(totals: Floats) -> Floats:
    """Return K clusters' totals, [K, M], rounded so that sums of K of them are exact.

    Each column is rounded to multiples of a power of two, the smallest of which K times the
    largest total is at most 2**53. Then float64 holds every partial sum, and the order of
    additions, which in a matrix product depends on the processor, the threads and the number of
    columns, changes nothing (the fixed-point grids of Ozaki et al. 2012, Error-free transformations
    of matrix multiplication). Whole numbers stay as they are; other totals move by at most
    2**-52 K times the largest, about what rounding in a sum of K numbers does.
    """
    largest = np.abs(totals).max(axis=0, initial=0.0, where=np.isfinite(totals))
    exponent = np.frexp(largest)[1] + (len(totals) - 1).bit_length() - MANTISSA
    unit = np.ldexp(1.0, np.maximum(exponent, LEAST_EXPONENT))
    rounded: Floats = np.rint(totals / unit) * unit
    return rounded


def _resampled_sums(totals: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield sums of K clusters' totals, [K, M], over the clusters of each resample, [r, M]."""
    count = len(totals)
    draws = Draws(count, seed)
    step = max(1, CHUNK // count)
    # on a busy machine such small products take many times as long on several threads
    with threadpool_limits(1, "blas"):
        for first in range(0, resamples, step):
            size = min(step, resamples - first)
            # how often each cluster is in each resample, by counting into one long histogram
            cells = draws.take(size * count).reshape(size, count)
            cells += (np.arange(size) * count)[:, None]
            repeats = np.bincount(cells.ravel(), minlength=size * count).reshape(size, count)
            yield repeats.astype(np.float64) @ totals


def interval(resampled: Resampled, clusters: int, level: float = LEVEL) -> Interval:
    """Return the interval of one resampled figure over K clusters, as `percentiles` does."""
    degrees = degrees_of_freedom(resampled.without, clusters)
    return percentiles(resampled.values, clusters, degrees, level)


def percentiles(values: Floats, clusters: int, degrees: int, level: float = LEVEL) -> Interval:
    """Return the interval of one resampled figure, [R], over K clusters.

    degrees: of freedom, of its standard error. The ends are percentiles of the resamples, beyond
    the tails of the level (see `expanded_tail`). NaN where R resamples have no percentile so far
    out; 10,000 resamples of 4 or more clusters have one.
    """
    count = len(values)
    rank = math.floor(expanded_tail(clusters, degrees, level) * (count + 1)) if clusters > 1 else 0
    if rank < 1:
        return Interval(math.nan, math.nan)
    ends = np.partition(values, (rank - 1, count - rank))
    return Interval(float(ends[rank - 1]), float(ends[count - rank]))


def degrees_of_freedom(without: Floats, clusters: int) -> int:
    """Return the degrees of freedom of a figure's standard error over K clusters, K - 1 at most.

    without: the figure with each cluster left out, as in `Resampled`. They are those of the
    chi-squared distribution whose relative variance equals that of the clusters' variance,
    2 / (K - 1) + g / K (Satterthwaite 1946), rounded down; g is the excess kurtosis of the
    clusters' parts in the figure, corrected for their number (Joanes & Gill 1998, G2). So a figure
    that depends on a few of many videos has few.
    """
    squares = np.square(without[-1] - without[:-1])
    square = float(squares.sum())
    if clusters <= LEAST_DEGREES_OF_FREEDOM or not square > 0:
        return max(clusters - 1, 1)
    # np.power is not the same on all processors
    excess = clusters * float(np.square(squares).sum()) / (square * square) - 3
    excess = (clusters - 1) / ((clusters - 2) * (clusters - 3)) * ((clusters + 1) * excess + 6)
    degrees = 2 / (2 / (clusters - 1) + max(excess, 0.0) / clusters)
    return max(math.floor(degrees + 1e-9), LEAST_DEGREES_OF_FREEDOM)


def expanded_tail(clusters: int, degrees: int, level: float = LEVEL) -> float:
    """Return the share of resamples beyond each end of the interval; 0.025 for many clusters.

    degrees: of freedom, of the figure's standard error.
    A resample of few clusters varies less than the population: the ends are set by a t
    distribution and K / (K - 1) (Hesterberg 2015, What Teachers Should Know about the Bootstrap,
    expanded percentiles).
    """
    reach = t_ppf((1 + level) / 2, degrees) * math.sqrt(clusters / (clusters - 1))
    return NormalDist().cdf(-reach)


def _distinct(weights: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the distinct columns of [N, M] as rows [D, N], and which of them each column is."""
    kept: dict[bytes, int] = {}
    numbers = [kept.setdefault(column.tobytes(), len(kept)) for column in weights.T]
    first = [numbers.index(number) for number in range(len(kept))]
    return weights.T[first], np.array(numbers, dtype=np.intp)
