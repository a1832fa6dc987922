"""Moment localisation: recall at IoU thresholds (R1@0.5), its discounted form, and mean IoU."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import IOUS, Floats, Mask, NonFinite, existing, iou
from vtg_eval.protocol import ScoreRule

MEAN_IOU = "mIoU"


def best_ious(
    spans: Floats,
    targets: Floats,
    non_finite: NonFinite = "zero",
    exists: Mask | None = None,
) -> Floats:
    """Return [N, R]: each ranked span's IoU with the target's best fitting occurrence.

    spans: [N, R, 2], targets: [N, K, 2], seconds; an occurrence that does not exist is NaN.
    exists: bool [N, R], which spans were answered; the others have IoU 0. Where it is None, a
    span of two NaN counts as not answered. That is right under "zero" only: the other rules give
    an answered NaN a value.
    """
    exists = existing(spans) if exists is None else exists
    overlaps = IOUS[non_finite](targets[:, None, :, :], spans[:, :, None, :])
    overlaps = np.where(existing(targets)[:, None, :], overlaps, 0.0)
    return np.where(exists, overlaps.max(axis=2, initial=0.0), 0.0)


def discounts(spans: Floats, targets: Floats, durations: Floats) -> Floats:
    """Return [N, R]: the factor by which each hit counts for its errors in time, 0 to 1.

    spans: [N, R, 2], targets: [N, K, 2], durations: [N], all in one unit. The factor is
    (1 - |error of the start| / duration) * (1 - |error of the end| / duration) relative to
    the best fitting occurrence, each error at most the duration; 0 where a time is not finite.
    Yuan et al., "A Closer Look at Temporal Sentence Grounding in Videos: Dataset and Metric",
    2021 (dR@n,IoU@m); its authors published no code to check against.
    """
    if not targets.shape[1]:
        return np.zeros(spans.shape[:2])
    best = iou(spans[:, :, None, :], targets[:, None, :, :]).argmax(axis=2)
    fitting = np.take_along_axis(targets, best[..., None], axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        errors = np.abs(spans - fitting) / durations[:, None, None]
        factors = 1.0 - np.minimum(errors, 1.0)
        worth = factors[..., 0] * factors[..., 1]
    return np.where(np.isnan(worth), 0.0, worth)


def sample_values(
    ious: Floats, rule: ScoreRule, worth: Floats | None = None
) -> Mapping[str, Floats]:
    """Return each metric's value for each sample ([N], 0 to 1) from the IoUs of ranked spans.

    ious: [N, R], in rank order, or [T, N, R] where each of the rule's T thresholds has its own
    ranking (`threshold_ious`). worth: of the same shape, from `discounts`; a rule with discounted
    recalls needs it. Recalls first, then mIoU (of the first span) and the discounted recalls,
    dR1@0.5 and so on, each of the best among the hits.
    """
    ious = _rounded(ious, rule.iou_decimals)
    layers = np.broadcast_to(ious, (len(rule.thresholds), *ious.shape[-2:]))
    hits = [_hits(layer, level, rule) for layer, level in zip(layers, rule.thresholds, strict=True)]
    values: dict[str, Floats] = {}
    for rank in rule.ranks:
        for threshold, hit in zip(rule.thresholds, hits, strict=True):
            values[recall_name(rank, threshold)] = hit[:, :rank].max(axis=1).astype(np.float64)
    values[MEAN_IOU] = layers[:1, :, 0].reshape(-1)
    if rule.discounted:
        values |= _discounted(hits, rule, worth)
    return values


def recall_name(rank: int, threshold: float) -> str:
    """Return the name of the recall: "R1@0.5"."""
    return f"R{rank}@{threshold:g}"


def _rounded(ious: Floats, decimals: int) -> Floats:
    if decimals < 0:
        return ious
    # Python's round, which is what the rounding evaluators use; numpy's differs in ties
    rounded = [round(value, decimals) for value in ious.ravel().tolist()]
    return np.array(rounded, dtype=np.float64).reshape(ious.shape)


def _hits(ious: Floats, threshold: float, rule: ScoreRule) -> Mask:
    """Return where the IoU reaches the threshold; NaN never does."""
    return ious >= threshold if rule.comparator == ">=" else ious > threshold


def _discounted(hits: list[Mask], rule: ScoreRule, worth: Floats | None) -> dict[str, Floats]:
    if worth is None:
        raise ValueError("discounted recalls need the worth of each hit: see `discounts`")
    layers = np.broadcast_to(worth, (len(hits), *worth.shape[-2:]))
    values: dict[str, Floats] = {}
    for rank in rule.ranks:
        for threshold, hit, layer in zip(rule.thresholds, hits, layers, strict=True):
            best = (hit * layer)[:, :rank].max(axis=1, initial=0.0)
            values["d" + recall_name(rank, threshold)] = best
    return values


def by_score(spans: Floats, scores: Floats, exists: Mask) -> tuple[Floats, Mask]:
    """Return the spans ([N, M, 2]) by descending score, and which of them exist ([N, M]).

    scores, exists: [N, M]. Of equal scores the later span comes first, as in jiyanggao/TALL
    at 7e600f59 (main.py, nms_temporal); spans that do not exist come last, NaN scores before them.
    """
    level = np.where(np.isnan(scores), -np.inf, scores)
    order = np.lexsort((level, exists), axis=-1)[:, ::-1]
    return np.take_along_axis(spans, order[..., None], axis=1), np.take_along_axis(
        exists, order, axis=1
    )


def suppress_all(spans: Floats, exists: Mask, threshold: float, keep: int) -> tuple[Floats, Mask]:
    """Return up to `keep` spans of each sample that non-maximum suppression keeps, in rank order.

    spans: [N, M, 2] in rank order, exists: [N, M], which of them exist; the result likewise:
    [N, keep, 2] (NaN where there is none) and [N, keep]. A span goes when its IoU with a kept,
    better ranked one exceeds `threshold` or is NaN (two equal empty spans); the union here is the
    sum of lengths minus the intersection. This is the rule of microsoft/2D-TAN at 2f7410f0
    (lib/core/eval.py) and of jiyanggao/TALL at 7e600f59 (main.py, nms_temporal), which differ in
    the threshold and in the source of the order.
    """
    indices = _surviving(spans, exists, threshold, keep)
    kept_exists = indices >= 0
    kept = np.full((*indices.shape, 2), np.nan)
    rows, _ = np.nonzero(kept_exists)
    kept[kept_exists] = spans[rows, indices[kept_exists]]
    return kept, kept_exists


def suppress(spans: Floats, threshold: float, keep: int) -> list[int]:
    """Return the indices of up to `keep` of one sample's spans ([M, 2]): see `suppress_all`."""
    exists = np.ones((1, len(spans)), dtype=np.bool_)
    indices: list[int] = _surviving(spans[None], exists, threshold, keep)[0].tolist()
    return [index for index in indices if index >= 0]


def _surviving(spans: Floats, exists: Mask, threshold: float, keep: int) -> npt.NDArray[np.int64]:
    """Return [N, keep]: the indices of the kept spans in [N, M, 2], -1 where there are no more."""
    indices = np.full((len(spans), keep), -1, dtype=np.int64)
    alive, rows = exists.copy(), np.arange(len(spans))
    for rank in range(keep):
        if not alive.any():
            break
        best = alive.argmax(axis=1)
        indices[:, rank] = np.where(alive[rows, best], best, -1)
        alive[rows, best] = False
        alive &= _overlap(spans[rows, best][:, None, :], spans) <= threshold
    return indices


def threshold_ious(
    spans: Floats,
    targets: Floats,
    rule: ScoreRule,
    exists: Mask,
    below: float,
    non_finite: NonFinite = "signed",
) -> Floats:
    """Return [T, N, R]: `best_ious` after a separate suppression for each threshold.

    spans: [N, M, 2] in rank order, exists: [N, M], targets: [N, K, 2]. For each of the rule's T
    thresholds, spans that overlap a better one by more than the threshold minus `below` are
    removed. The first span always stays, so mIoU is the same for all. R is the largest rank.
    jiyanggao/TALL at 7e600f59 (main.py, compute_IoU_recall_top_n_forreg) takes 0.05 below.
    """
    depth = max(rule.ranks)
    layers = []
    for threshold in rule.thresholds:
        kept, kept_exists = suppress_all(spans, exists, threshold - below, depth)
        layers.append(best_ious(kept, targets, non_finite, kept_exists))
    return np.stack(layers)


def _overlap(leader: Floats, spans: Floats) -> Floats:
    """Return the IoU by which spans are suppressed, NaN where the union is empty."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.minimum(leader[..., 1], spans[..., 1]) - np.maximum(
            leader[..., 0], spans[..., 0]
        )
        shared = np.maximum(0.0, shared)
        lengths = (leader[..., 1] - leader[..., 0]) + (spans[..., 1] - spans[..., 0])
        value: Floats = shared / (lengths - shared)
    return value
