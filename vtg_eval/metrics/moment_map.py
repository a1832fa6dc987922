"""Moment retrieval with ranked spans: average precision, and the IoU of the first span.

Checked against jayleicn/moment_detr at commit b7e553ac, standalone_eval/eval.py, which reports
them as MR-mAP and MR-R1 on QVHighlights. All values are per query, so that a caller can take
means, resample them over videos or leave queries out. Nothing is rounded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats, iou

NonFinite = Literal["zero", "official"]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

MAX_SPANS = 10
THRESHOLDS: tuple[float, ...] = tuple(percent / 100 for percent in range(50, 100, 5))
# the evaluator writes "full" as (0, 150], but includes targets of any length
LENGTH_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "short": (0.0, 10.0),
        "middle": (10.0, 30.0),
        "long": (30.0, 150.0),
        "full": (-np.inf, np.inf),
    }
)


def average_precisions(
    spans: Sequence[Floats],
    scores: Sequence[Floats],
    targets: Sequence[Floats],
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    non_finite: NonFinite,
    limit: int = MAX_SPANS,
) -> Floats:
    """Return [N, T]: each query's average precision (0 to 1) at each IoU threshold.

    spans: N arrays [M, 2] (start, end in seconds) in list order; scores: N arrays [M];
    targets: N arrays [K, 2]; thresholds: in (0, 1]. A query without a target is NaN.

    The first `limit` spans of the list count, ranked by score, highest first, ties in list
    order. Each in turn takes the free target that it fits best, if their IoU (with the true
    union) reaches the threshold. Precision is interpolated as in Pascal VOC 2011.
    The evaluator cuts each line of a file, then pools lines that name the same query: a caller
    that does so cuts and pools itself and passes a `limit` that leaves the pools whole.

    non_finite: "zero" gives a span with a non-finite time or with an end not after its start
    IoU 0 with everything, ranks non-finite scores last, and scores a query without spans 0.
    "official" follows the evaluator: a NaN IoU (a NaN time, or lengths that cancel out, as in
    a target written backwards) reaches every threshold and comes before every number; NaN
    scores rank as Python's sort leaves them.

    Raises ValueError where a query's spans and scores differ in number, and under "official"
    where a query has no spans: there the evaluator stops.
    """
    _check_spans(spans, non_finite)
    ranked, exists = _ranked(spans, scores, limit, non_finite)
    levels = np.asarray(thresholds, dtype=np.float64)
    precisions = np.full((len(spans), len(levels)), np.nan)
    for rows, truth in _by_target_count(targets, len(spans)):
        overlaps = _true_ious(ranked[rows][:, :, None], truth[:, None], non_finite)
        overlaps[~exists[rows]] = -1.0
        hits = _matched(overlaps, levels)
        precisions[rows] = _interpolated(hits, truth.shape[1])
    return precisions


def first_ious(
    spans: Sequence[Floats], targets: Sequence[Floats], *, non_finite: NonFinite
) -> Floats:
    """Return [N]: the IoU (0 to 1) of each query's first span in list order, scores ignored.

    spans: N arrays [M, 2] in seconds; targets: N arrays [K, 2]. The target that counts is the
    first of those with the highest IoU over the true union; the value is their IoU over the
    hull. A span that is non-finite or does not end after its start has 0: where the evaluator
    has NaN instead, it reaches no threshold either. A query without a target is NaN.

    non_finite: see `average_precisions`. A query without spans has 0 under "zero"; under
    "official" it raises ValueError.
    """
    _check_spans(spans, non_finite)
    nowhere = np.full(2, np.nan)
    first = np.array([row[0] if len(row) else nowhere for row in spans], dtype=np.float64)
    values = np.full(len(spans), np.nan)
    for rows, truth in _by_target_count(targets, len(spans)):
        best = _true_ious(first[rows][:, None], truth, non_finite).argmax(axis=1)
        values[rows] = iou(first[rows], truth[np.arange(len(rows)), best])
    return values


def length_range(targets: Sequence[Floats], low: float, high: float) -> list[Floats]:
    """Return the targets with low < length <= high (seconds): N arrays [K, 2], some empty.

    The evaluator leaves out queries that keep no target.
    """
    flat, starts, counts = _flattened(targets)
    lengths = flat[:, 1] - flat[:, 0]
    kept = (low < lengths) & (lengths <= high)
    return [
        flat[start : start + count][kept[start : start + count]]
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
    ]


def sums_of_selected(values: Floats, selected: Mask) -> Floats:
    """Return [R]: the sum of each row's selected values; values and selected: [R, C].

    The result is bit for bit numpy's sum of the selected values alone: numpy adds in an order
    that depends on how many there are, so rows are added together with rows of their count.
    """
    counts = np.count_nonzero(selected, axis=1)
    starts = counts.cumsum() - counts
    flat = values[selected]
    sums = np.zeros(len(values))
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        sums[rows] = flat[starts[rows][:, None] + np.arange(count)].sum(axis=1)
    return sums


def _check_spans(spans: Sequence[Floats], non_finite: NonFinite) -> None:
    if non_finite == "official":
        empty = next((row for row, listed in enumerate(spans) if not len(listed)), None)
        if empty is not None:
            raise ValueError(f"query {empty} (from 0) has no spans: the official script stops here")


def _flattened(rows: Sequence[Floats]) -> tuple[Floats, Indices, Indices]:
    """Return all spans of all rows [S, 2], and each row's start in them and its count, [N]."""
    counts = np.array([len(row) for row in rows], dtype=np.intp)
    flat = np.concatenate([np.empty((0, 2)), *(row for row in rows if len(row))])
    return flat, counts.cumsum() - counts, counts


def _by_target_count(targets: Sequence[Floats], size: int) -> Iterator[tuple[Indices, Floats]]:
    """Yield the queries (indices [n]) that have K targets with those targets [n, K, 2], K > 0."""
    if len(targets) != size:
        raise ValueError(f"{size} queries have spans, but {len(targets)} have targets")
    flat, starts, counts = _flattened(targets)
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        yield rows, flat[starts[rows][:, None] + np.arange(count)]


def _ranked(
    spans: Sequence[Floats], scores: Sequence[Floats], limit: int, non_finite: NonFinite
) -> tuple[Floats, Mask]:
    """Return the spans that count [N, M, 2], best first, and which of them exist [N, M]."""
    flat, starts, counts = _flattened(spans)
    if counts.tolist() != [len(row) for row in scores]:
        raise ValueError("each query needs exactly one score for each of its spans")
    kept = np.minimum(counts, limit)
    positions = np.arange(kept.max(initial=1))
    exists = positions < kept[:, None]
    # the last entry represents spans that do not exist
    index = np.where(exists, starts[:, None] + positions, -1)
    flat_scores = np.concatenate([*scores, np.full(1, -np.inf)])
    keys = -flat_scores[index]
    if non_finite == "zero":
        keys[~np.isfinite(keys)] = np.inf
    order = keys.argsort(axis=1, kind="stable")
    for row in np.flatnonzero(np.isnan(keys).any(axis=1)):
        existing_keys = keys[row, : kept[row]].tolist()
        order[row] = positions
        order[row, : kept[row]] = sorted(range(len(existing_keys)), key=existing_keys.__getitem__)
    times = np.concatenate([flat, np.full((1, 2), np.nan)])
    return times[np.take_along_axis(index, order, axis=1)], exists


def _true_ious(spans: Floats, targets: Floats, non_finite: NonFinite) -> Floats:
    """Return the IoU over the true union [...] of spans [..., 2], broadcast against targets."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.minimum(spans[..., 1], targets[..., 1]) - np.maximum(
            spans[..., 0], targets[..., 0]
        )
        shared = np.maximum(shared, 0.0)
        lengths = (spans[..., 1] - spans[..., 0]) + (targets[..., 1] - targets[..., 0])
        overlaps: Floats = shared / (lengths - shared)
    if non_finite == "zero":
        # reversed, empty and infinite spans share nothing or have an infinite union
        overlaps[~np.isfinite(overlaps)] = 0.0
    return overlaps


def _matched(overlaps: Floats, thresholds: Floats) -> Mask:
    """Return hits [n, T, M]: whether each ranked span takes a target; overlaps: [n, M, K]."""
    queries, spans, targets = overlaps.shape
    # the evaluator leaves ties to numpy's quicksort, which is stable for up to 16 targets, but not
    # on all processors
    order = overlaps.argsort(axis=2, kind="stable")[:, :, ::-1]
    descending = np.take_along_axis(overlaps, order, axis=2)
    free = np.ones((queries, len(thresholds), targets), dtype=np.bool_)
    hits = np.zeros((queries, len(thresholds), spans), dtype=np.bool_)
    for rank in range(spans):
        # not ">=": NaN is not below any threshold
        reaches = ~(descending[:, rank, None, :] < thresholds[:, None])
        can = reaches & np.take_along_axis(free, order[:, rank, None, :], axis=2)
        hits[:, :, rank] = can.any(axis=2)
        row, level = np.nonzero(hits[:, :, rank])
        free[row, level, order[row, rank, can[row, level].argmax(axis=1)]] = False
    return hits


def _interpolated(hits: Mask, targets: int) -> Floats:
    """Return the area [n, T] under precision over recall, each made non-increasing from the right.

    hits: [n, T, M] in rank order. Spans that miss at the end of the ranking change nothing.
    """
    hit_counts = hits.cumsum(axis=2)
    precision = hit_counts / np.arange(1, hits.shape[2] + 1)
    highest = np.maximum.accumulate(precision[:, :, ::-1], axis=2)[:, :, ::-1]
    recall = hit_counts / targets
    areas = np.diff(recall, axis=2, prepend=0.0) * highest
    # the evaluator's last step, up to recall 1 at precision 0, is one more number in its sum
    incomplete = hit_counts[:, :, -1:] < targets
    areas = np.concatenate([areas, np.zeros(incomplete.shape)], axis=2)
    steps = np.concatenate([hits, incomplete], axis=2)
    flat = (-1, areas.shape[2])
    return sums_of_selected(areas.reshape(flat), steps.reshape(flat)).reshape(hits.shape[:2])
