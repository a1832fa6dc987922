"""Moment localisation: recall at IoU thresholds (R1@0.5) and mean IoU."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats, iou
from vtg_eval.protocol import ScoreRule

Mask = npt.NDArray[np.bool_]
MEAN_IOU = "mIoU"


def best_ious(spans: Floats, targets: Floats) -> Floats:
    """Return [N, R]: each ranked span's IoU with the target's best fitting occurrence.

    spans: [N, R, 2], targets: [N, K, 2], seconds; rows that do not exist are NaN.
    """
    overlaps: Floats = iou(spans[:, :, None, :], targets[:, None, :, :]).max(axis=2, initial=0.0)
    return overlaps


def sample_values(ious: Floats, rule: ScoreRule) -> Mapping[str, Floats]:
    """Return each metric's value for each sample ([N], 0 to 1) from the IoUs of ranked spans.

    ious: [N, R], in rank order. Recalls first, then mIoU (of the first span) and, where the
    rule wants it, avg.
    """
    if rule.iou_decimals >= 0:
        # Python's round, which is what the rounding evaluators use; numpy's differs in ties
        rounded = [[round(value, rule.iou_decimals) for value in row] for row in ious.tolist()]
        ious = np.array(rounded, dtype=np.float64).reshape(ious.shape)
    values: dict[str, Floats] = {}
    for rank in rule.ranks:
        best = ious[:, :rank].max(axis=1)
        for threshold in rule.thresholds:
            hit = best >= threshold if rule.comparator == ">=" else best > threshold
            values[f"R{rank}@{threshold:g}"] = hit.astype(np.float64)
    values[MEAN_IOU] = ious[:, 0]
    if rule.average:
        values["avg"] = np.mean(list(values.values()), axis=0)
    return values


def percentages(values: Mapping[str, Floats], counted: Mask, rule: ScoreRule) -> dict[str, float]:
    """Return each metric in percent over the counted samples, unrounded; 0 where none counts."""
    figures = {name: _percent(each[counted], rule, name) for name, each in values.items()}
    if rule.average:
        del figures["avg"]
        parts = [figures[MEAN_IOU], *(v for name, v in figures.items() if name != MEAN_IOU)]
        figures["avg"] = _total(np.array(parts)) / len(parts)
    return figures


def _percent(values: Floats, rule: ScoreRule, name: str) -> float:
    count = len(values)
    if not count:
        return 0.0
    if rule.arithmetic == "sum*100/n":
        return _total(values) * 100 / count
    if rule.arithmetic == "mean*100" and name == MEAN_IOU:
        return float(np.mean(values)) * 100
    return _total(values) / count * 100


def _total(values: Floats) -> float:
    """Return the plain left-to-right sum, whatever the Python version's `sum` does."""
    return float(np.add.accumulate(values)[-1])


def suppress(spans: Floats, threshold: float, keep: int) -> list[int]:
    """Return the indices of up to `keep` spans that non-maximum suppression keeps, in order.

    spans: [M, 2] in rank order. A span goes when its IoU with a kept, better ranked one
    exceeds `threshold`; the union here is the sum of lengths less the intersection.
    """
    order = np.arange(len(spans))
    kept: list[int] = []
    lengths = spans[:, 1] - spans[:, 0]
    while len(order) and len(kept) < keep:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        shared = np.minimum(spans[best, 1], spans[rest, 1]) - np.maximum(
            spans[best, 0], spans[rest, 0]
        )
        shared = np.maximum(0.0, shared)
        with np.errstate(invalid="ignore", divide="ignore"):
            order = rest[shared / (lengths[best] + lengths[rest] - shared) <= threshold]
    return kept
