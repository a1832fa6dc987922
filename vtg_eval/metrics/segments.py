"""One span against several true segments: IoU and IoP, as NExT-GQA measures grounded answers."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from vtg_eval.metrics.iou import Floats, Mask, existing, truth_first_extents


class SegmentOverlaps(NamedTuple):
    """IoU, and IoP: the part of the predicted span that lies in the segment."""

    iou: Floats
    iop: Floats


def best_overlaps(
    spans: Floats,
    segments: Floats,
    non_finite: Literal["zero", "truth-first"] = "zero",
    exists: Mask | None = None,
) -> SegmentOverlaps:
    """Return [N] and [N], 0 to 1: the best IoU and the best IoP over the segments, separately.

    spans: [N, 2], segments: [N, K, 2] (NaN where there is no further one), seconds.
    non_finite: "zero": a span with a time that is not finite has 0 and 0. "truth-first": as
    in the official script, where a NaN time counts as the segment's in the IoU.
    exists: bool [N], which spans were answered; the others have 0 and 0. Where it is None, a span
    of two NaN counts as not answered.
    Checked against doc-doc/NExT-GQA at 63772e02 (code/TempGQA/eval_ground.py).
    """
    usable = existing(spans) if exists is None else exists
    if non_finite == "zero":
        usable = usable & np.isfinite(spans[:, 0]) & np.isfinite(spans[:, 1])
    counted = usable[:, None] & existing(segments)
    overlaps = segment_overlaps(segments, spans[:, None, :])
    return SegmentOverlaps(*(_best(values, counted) for values in overlaps))


def segment_overlaps(segments: Floats, spans: Floats) -> SegmentOverlaps:
    """Return IoU and IoP of spans with segments, [..., 2] against [..., 2], not bounded at 0.

    A span of one instant has IoU 0, and IoP 1 where it lies in the segment (ends included). A
    reversed span has IoP 0. Disjoint ones have negative values; so does a reversed span's IoU.
    """
    starts, ends = spans[..., 0], spans[..., 1]
    shared, hull = truth_first_extents(segments, spans)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        iou = np.where(hull > 0, shared / hull, 0.0)
        iop = np.where(ends > starts, shared / (ends - starts), 0.0)
    instant = starts == ends
    inside = (segments[..., 0] <= starts) & (starts <= segments[..., 1])
    return SegmentOverlaps(
        iou=np.where(instant, 0.0, iou), iop=np.where(instant, inside.astype(np.float64), iop)
    )


def _best(values: Floats, counted: Mask) -> Floats:
    best: Floats = np.where(counted, values, 0.0).max(axis=1, initial=0.0)
    return best
