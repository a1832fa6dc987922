"""Sets of spans as the rewards compare them: in order, united, and how far apart two are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtg_eval.metrics.iou import Floats


def proper(spans: Sequence[tuple[float, float]] | Floats) -> Floats:
    """Return [P, 2]: the spans in order of start and end.

    Spans that are empty, reversed or not finite are left out, as in `set_iou`.
    """
    table: Floats = np.asarray(spans, dtype=np.float64).reshape(-1, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        table = table[(table[:, 0] < table[:, 1]) & np.isfinite(table[:, 1] - table[:, 0])]
    ordered: Floats = table[np.lexsort((table[:, 1], table[:, 0]))]
    return ordered


def merged(spans: Sequence[tuple[float, float]] | Floats) -> Floats:
    """Return [P, 2]: the union of the proper spans, in order of time, as disjoint intervals."""
    table = proper(spans)
    if not len(table):
        return table
    reach = np.maximum.accumulate(table[:, 1])
    opens = np.append(True, table[1:, 0] > reach[:-1])
    closes = np.append(opens[1:], True)
    union: Floats = np.stack([table[opens, 0], reach[closes]], axis=1)
    return union


def total_length(union: Floats) -> float:
    """Return the length of a union of intervals."""
    with np.errstate(over="ignore"):
        return float((union[:, 1] - union[:, 0]).sum())


def wasserstein_distance(first: Floats, second: Floats) -> float:
    """Return the 1-Wasserstein distance of two uniform densities, in the unit of the times.

    first, second: unions of intervals, [P, 2] and [K, 2] (start, end), as `merged` gives them,
    neither empty. Each density is uniform over its union and has mass 1. In one dimension W1 is the
    integral of |F - G| over the two cumulative distributions (Villani, Topics in Optimal
    Transportation, 2003, theorem 2.18). Between neighbouring ends F - G is linear from a to b over
    a width w. The integral of its absolute value is w (|a| + |b|) / 2 where it keeps its sign and
    w (a² + b²) / (2 (|a| + |b|)) where it crosses 0. The sum of these integrals is exact.
    """
    ends = np.unique(np.concatenate([first.ravel(), second.ravel()]))
    with np.errstate(over="ignore", invalid="ignore"):
        gap = _cumulative(first, ends) - _cumulative(second, ends)
        widths = np.diff(ends)
        left, right = gap[:-1], gap[1:]
        size = np.abs(left) + np.abs(right)
        crossing = (left**2 + right**2) / np.where(size > 0, size, 1.0)
        heights = np.where(left * right < 0, crossing, size) / 2
        return float((widths * heights).sum())


def _cumulative(union: Floats, times: Floats) -> Floats:
    """Return the share of the union's length that lies before each time."""
    lengths = union[:, 1] - union[:, 0]
    after = np.cumsum(lengths)
    shares = np.stack([np.append(0.0, after[:-1]), after], axis=1).ravel() / after[-1]
    cumulative: Floats = np.interp(times, union.ravel(), shares)
    return cumulative
