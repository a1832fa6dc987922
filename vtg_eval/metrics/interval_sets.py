"""Overlap of two sets of intervals: IoU of their unions, as CG-Bench measures clue intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats

Interval = list[float]


def set_iou(
    predicted: Sequence[npt.ArrayLike], truth: Sequence[npt.ArrayLike], strict: bool = True
) -> Floats:
    """Return [N]: for each sample the IoU of all predicted with all true intervals.

    predicted, truth: N tables, [P, 2] and [K, 2] (start, end), seconds; P and K differ between
    samples and may be 0. Intervals that overlap or touch are joined first.
    strict: intervals that are empty, reversed or not finite are left out, and the value lies
    between 0 and 1. Otherwise they stay, with their negative lengths and NaN, and the value may
    exceed 1: exactly as in CG-Bench/CG-Bench at f8266087 (run/utils.py) and
    open-compass/VLMEvalKit at e8e78f05 (vlmeval/dataset/utils/cgbench.py).
    """
    pairs = zip(predicted, truth, strict=True)
    if strict:
        values = [min(1.0, _iou(_proper(answer), _proper(target))) for answer, target in pairs]
    else:
        values = [_iou(_intervals(answer), _intervals(target)) for answer, target in pairs]
    return np.array(values, dtype=np.float64)


def _intervals(table: npt.ArrayLike) -> list[Interval]:
    intervals: list[Interval] = np.asarray(table, dtype=np.float64).reshape(-1, 2).tolist()
    return intervals


def _proper(table: npt.ArrayLike) -> list[Interval]:
    return [
        [start, end] for start, end in _intervals(table) if start < end and isfinite(end - start)
    ]


def _iou(first: list[Interval], second: list[Interval]) -> float:
    # plain Python throughout: with NaN, the result depends on the order of each comparison
    first, second = _merged(first), _merged(second)
    shared = _shared(first, second)
    union = _length(first) + _length(second) - shared
    return shared / union if union > 0 else 0.0


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals, key=lambda interval: interval[0]):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def _shared(first: list[Interval], second: list[Interval]) -> float:
    total = 0.0
    for start, end in first:
        for other_start, other_end in second:
            total += max(0.0, min(end, other_end) - max(start, other_start))
    return total


def _length(intervals: list[Interval]) -> float:
    """Return the plain left-to-right sum, whatever the Python version's `sum` does."""
    total = 0.0
    for start, end in intervals:
        total += end - start
    return total
