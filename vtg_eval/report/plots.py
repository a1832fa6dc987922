"""The numbers behind the page's plots."""

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
CELLS = 50  # along each axis of a scatter plot
STRIPS = 5  # rows of a scatter plot's table
BINS = 6  # of lengths, with about equal numbers of samples


@dataclass(frozen=True, slots=True)
class Cell:
    """The `n` samples in one cell of a scatter plot: column and row from 0 to CELLS - 1."""

    x: int
    y: int
    n: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The `n` samples whose true value is in [low, high), and the median predicted value."""

    low: float
    high: float
    n: int
    median: float | None


@dataclass(frozen=True, slots=True)
class Scatter:
    """Predicted against true values, both as fractions of the duration, clipped to [0, 1].

    n: samples with both values. correlation: Pearson's, None if undefined. error: the median
    absolute error, in seconds.
    """

    n: int
    correlation: float | None
    error: float | None
    cells: tuple[Cell, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """The `n` samples with a length in [low, high] seconds: their score in percent, and its
    interval (None: too few videos).
    """

    low: float
    high: float
    n: int
    score: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Plots:
    """The plots of one predictor.

    ious: percent of samples with IoU 0, then in each bin (a, b] of IOU_EDGES. recall: percent
    with an IoU of at least each of THRESHOLDS. Both are None if no span was asked for.
    by_duration, by_length: the primary metric by the length of the video and of the moment.
    """

    ious: tuple[float, ...] | None
    recall: tuple[float, ...] | None
    start: Scatter
    length: Scatter
    by_duration: tuple[Bar, ...]
    by_length: tuple[Bar, ...]


def plots(measured: Measured, durations: Floats, lengths: Floats) -> Plots:
    """Return one predictor's plots; `durations` and `lengths` are bin edges in seconds."""
    asked = measured.iou[~np.isnan(measured.iou)]
    return Plots(
        ious=_shares(asked) if len(asked) else None,
        recall=_recall(asked) if len(asked) else None,
        start=_scatter(measured, measured.truths[:, 0], measured.spans[:, 0]),
        length=_scatter(measured, measured.moments, measured.spans[:, 1] - measured.spans[:, 0]),
        by_duration=_bars(measured, measured.durations, durations),
        by_length=_bars(measured, measured.moments, lengths),
    )


def bin_edges(values: Floats, bins: int = BINS) -> Floats:
    """Return edges of at most `bins` bins with about equal numbers of the finite `values`."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.empty(0, dtype=np.float64)
    return np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)))


def _shares(iou: Floats) -> tuple[float, ...]:
    counts = np.histogram(-iou[iou > 0], bins=-IOU_EDGES[::-1])[0][::-1]
    return tuple((100 * np.array([(iou <= 0).sum(), *counts]) / len(iou)).tolist())


def _recall(iou: Floats) -> tuple[float, ...]:
    return tuple(float(100 * np.mean(iou >= threshold)) for threshold in THRESHOLDS)


def _scatter(measured: Measured, true: Floats, predicted: Floats) -> Scatter:
    valid = np.isfinite(true) & np.isfinite(predicted) & (measured.durations > 0)
    true, predicted, durations = true[valid], predicted[valid], measured.durations[valid]
    x, y = (np.clip(times / durations, 0, 1) for times in (true, predicted))
    columns, rows = _cell(x), _cell(y)
    cells, counts = np.unique(columns * CELLS + rows, return_counts=True)
    edges = np.linspace(0, 1, STRIPS + 1)
    strip = np.minimum((x * STRIPS).astype(np.int64), STRIPS - 1)
    return Scatter(
        n=len(x),
        correlation=correlation(x, y),
        error=float(np.median(np.abs(predicted - true))) if len(x) else None,
        cells=tuple(
            Cell(int(cell // CELLS), int(cell % CELLS), int(count))
            for cell, count in zip(cells, counts, strict=True)
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
    """Return the column or row of each fraction; 1 is in the last."""
    cells: npt.NDArray[np.int64] = np.minimum(fractions * CELLS, CELLS - 1).astype(np.int64)
    return cells


def _bars(measured: Measured, values: Floats, edges: Floats) -> tuple[Bar, ...]:
    if len(edges) < 2:
        return ()
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counted = measured.counted & np.isfinite(values) & np.isfinite(measured.worth)
    inside = (bins[:, None] == np.arange(len(edges) - 1)) & counted[:, None]
    worth = np.where(np.isfinite(measured.worth), measured.worth, 0.0)
    columns = np.repeat(worth[:, None], len(edges) - 1, axis=1)
    intervals = cluster_bootstrap(columns, measured.videos, inside, bounds=(0.0, 1.0))
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
    """Return the interval in percent, None if there are too few videos."""
    low, high = interval
    return (100 * low, 100 * high) if math.isfinite(low) and math.isfinite(high) else None
