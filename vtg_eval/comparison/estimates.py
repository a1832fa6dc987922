"""Means over samples with intervals over videos, several at once from the same resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.files.json_files import finite
from vtg_eval.metrics.iou import Floats, Mask
from vtg_eval.statistics.bootstrap import mean_interval, resampled_means

Bounds = tuple[float, float]
SHARES: Bounds = (0.0, 100.0)
DIFFERENCES: Bounds = (-100.0, 100.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its 95 % interval; None: not defined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Values:
    """One number for each sample, [N], NaN where it does not count; bounds: of the numbers."""

    values: Floats
    bounds: Bounds | None = None


def percent(hits: Mask) -> Floats:
    """Return 100 for each hit, 0 for others."""
    values: Floats = 100.0 * hits.astype(np.float64)
    return values


def estimates(columns: Mapping[str, Values], videos: Sequence[str]) -> dict[str, Estimate]:
    """Return the mean of each column with its interval; `videos` are those of the N samples."""
    _, clusters = np.unique(np.array(videos), return_inverse=True)
    table = np.stack([column.values for column in columns.values()], axis=1)
    counted = np.isfinite(table)
    resampled = resampled_means(np.where(counted, table, 0.0), clusters, counted)
    result = {}
    for number, (name, figure) in enumerate(zip(columns, resampled.columns(), strict=True)):
        rows = counted[:, number]
        values = table[rows, number]
        if not len(values):
            result[name] = Estimate(None, None, None)
            continue
        ends = mean_interval(values, clusters[rows], figure, columns[name].bounds)
        result[name] = Estimate(float(values.mean()), finite(ends.low), finite(ends.high))
    return result
