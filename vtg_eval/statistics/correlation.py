"""Pearson's correlation, the same on every processor."""

from __future__ import annotations

import math

import numpy as np

from vtg_eval.statistics.bootstrap import Floats


def correlation(first: Floats, second: Floats) -> float | None:
    """Return the correlation of two series of N values, each [N].

    None where it is not defined: fewer than two values, a constant series, NaN. Not
    `np.corrcoef`, whose matrix product adds in an order that depends on the processor.
    """
    if len(first) < 2 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return None
    x, y = first - first.mean(), second - second.mean()
    scale = math.sqrt(np.square(x).sum() * np.square(y).sum())
    return float(np.clip((x * y).sum() / scale, -1.0, 1.0)) if scale else None
