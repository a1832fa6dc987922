"""The numbers behind the page's plots, each beside those of a blind guess."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats
from vtg_eval.report.measured import Measured
from vtg_eval.statistics.bootstrap import Interval, cluster_bootstrap
from vtg_eval.statistics.correlation import correlation

IOU_EDGES = np.linspace(0, 1, 11)
THRESHOLDS = np.linspace(0, 1, 51)
CELLS = 50  # of a scatter, along each side
STRIPS = 5  # of a scatter's table
BINS = 6  # of lengths, with about as many samples in each


@dataclass(frozen=True, slots=True)
class Cell:
    """Samples that fall together in a scatter: column and row from 0 to CELLS - 1, how many."""

    x: int
    y: int
    n: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The samples whose truth is in [low, high): how many, and the median of what is predicted."""

    low: float
    high: float
    n: int
    median: float | None


@dataclass(frozen=True, slots=True)
class Scatter:
    """Predicted against true, both as fractions of the duration, cut to [0, 1].

    n: samples with both. correlation: Pearson's, None where it is not defined. error: the median
    of the distance, in seconds.
    """

    n: int
    correlation: float | None
    error: float | None
    cells: tuple[Cell, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """The samples of a length in [low, high] seconds: how many, their score in percent, its
    interval (None: on too few videos).
    """

    low: float
    high: float
    n: int
    score: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Plots:
    """What is drawn of one predictor.

    ious: share of samples, percent, with IoU 0 and then in (a, b] of IOU_EDGES. recall: share
    with an IoU of at least each of THRESHOLDS. Both None where no span was asked for.
    by_duration, by_length: the primary metric by the length of the video and of the moment.
    """

    ious: tuple[float, ...] | None
    recall: tuple[float, ...] | None
    start: Scatter
    length: Scatter
    by_duration: tuple[Bar, ...]
    by_length: tuple[Bar, ...]


def plots(found: Measured, durations: Floats, lengths: Floats) -> Plots:
    """Return one predictor's numbers; `durations` and `lengths` are edges of bins, in seconds."""
    asked = found.iou[~np.isnan(found.iou)]
    return Plots(
        ious=_shares(asked) if len(asked) else None,
        recall=_recall(asked) if len(asked) else None,
        start=_scatter(found, found.truths[:, 0], found.spans[:, 0]),
        length=_scatter(found, found.moments, found.spans[:, 1] - found.spans[:, 0]),
        by_duration=_bars(found, found.durations, durations),
        by_length=_bars(found, found.moments, lengths),
    )


def bin_edges(values: Floats, bins: int = BINS) -> Floats:
    """Return edges of at most so many bins with about as many of the `values` (NaN: none) each."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.empty(0, dtype=np.float64)
    return np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)))


def _shares(iou: Floats) -> tuple[float, ...]:
    counts = np.histogram(-iou[iou > 0], bins=-IOU_EDGES[::-1])[0][::-1]
    return tuple((100 * np.array([(iou <= 0).sum(), *counts]) / len(iou)).tolist())


def _recall(iou: Floats) -> tuple[float, ...]:
    return tuple(float(100 * np.mean(iou >= threshold)) for threshold in THRESHOLDS)


def _scatter(found: Measured, true: Floats, predicted: Floats) -> Scatter:
    there = np.isfinite(true) & np.isfinite(predicted) & (found.durations > 0)
    true, predicted, durations = true[there], predicted[there], found.durations[there]
    x, y = (np.clip(each / durations, 0, 1) for each in (true, predicted))
    columns, rows = (_cell(each) for each in (x, y))
    places, counts = np.unique(columns * CELLS + rows, return_counts=True)
    edges = np.linspace(0, 1, STRIPS + 1)
    strip = np.minimum((x * STRIPS).astype(np.int64), STRIPS - 1)
    return Scatter(
        n=len(x),
        correlation=correlation(x, y),
        error=float(np.median(np.abs(predicted - true))) if len(x) else None,
        cells=tuple(
            Cell(int(place // CELLS), int(place % CELLS), int(count))
            for place, count in zip(places, counts, strict=True)
        ),
        strips=tuple(
            Strip(
                float(edges[k]),
                float(edges[k + 1]),
                int((strip == k).sum()),
                float(np.median(y[strip == k])) if (strip == k).any() else None,
            )
            for k in range(STRIPS)
        ),
    )


def _cell(fractions: Floats) -> npt.NDArray[np.int64]:
    """Return the column or row of each fraction; 1 belongs to the last."""
    cells: npt.NDArray[np.int64] = np.minimum(fractions * CELLS, CELLS - 1).astype(np.int64)
    return cells


def _bars(found: Measured, values: Floats, edges: Floats) -> tuple[Bar, ...]:
    if len(edges) < 2:
        return ()
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counted = found.counted & np.isfinite(values) & np.isfinite(found.worth)
    inside = (place[:, None] == np.arange(len(edges) - 1)) & counted[:, None]
    worth = np.where(np.isfinite(found.worth), found.worth, 0.0)
    columns = np.repeat(worth[:, None], len(edges) - 1, axis=1)
    intervals = cluster_bootstrap(columns, found.videos, inside)
    return tuple(
        Bar(
            float(edges[k]),
            float(edges[k + 1]),
            int(rows.sum()),
            float(100 * worth[rows].mean()),
            _percent(intervals[k]),
        )
        for k in range(len(edges) - 1)
        if (rows := inside[:, k]).any()
    )


def _percent(interval: Interval) -> tuple[float, float] | None:
    """Return the interval in percent, None where there are too few videos for one."""
    low, high = interval
    return (100 * low, 100 * high) if math.isfinite(low) and math.isfinite(high) else None
