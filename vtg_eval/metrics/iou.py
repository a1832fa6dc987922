"""Temporal intersection over union: the strict rule, and the variants of other evaluators.

All of them use the hull as the union, as is usual; the two are equal wherever the spans overlap.
They differ in how they treat non-finite times and empty spans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
NonFinite = Literal["zero", "truth-first", "signed", "spread"]


def iou(first: Floats, second: Floats) -> Floats:
    """Return the IoU of spans [..., 2] (start, end), broadcast against each other: [...], 0 to 1.

    Reversed, empty and non-finite spans have IoU 0 with everything.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.minimum(first[..., 1], second[..., 1]) - np.maximum(
            first[..., 0], second[..., 0]
        )
        hull = np.maximum(first[..., 1], second[..., 1]) - np.minimum(first[..., 0], second[..., 0])
        overlap = shared / hull
    # a span that ends before it starts has no positive overlap with any span
    usable = (shared > 0) & (hull < np.inf)
    return np.where(usable, overlap, 0.0)


def truth_first_iou(truth: Floats, spans: Floats) -> Floats:
    """Return the IoU as scripts in plain Python compute it: [..., 2] against [..., 2] gives [...].

    Python's max and min return the first argument, here the truth's, when compared with NaN: so
    a NaN time counts as the truth's, and a span of two has IoU 1. `truth` must be finite.
    Where such a script divides by zero and stops, the value is 0.
    Checked against TencentARC/TimeLens at 5d90c067 (evaluation/compute_metrics.py).
    """
    shared, hull = truth_first_extents(truth, spans)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.where(shared > 0, shared / hull, 0.0)


def signed_iou(truth: Floats, spans: Floats) -> Floats:
    """Return the truth-first IoU with no bound at 0, so that disjoint spans have a negative one.

    A reversed span's IoU with a reversed truth is then positive. NaN where the hull is empty.
    The rule of jiyanggao/TALL at 7e600f59 (main.py, calculate_IoU).
    """
    shared, hull = truth_first_extents(truth, spans)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        value: Floats = shared / np.where(hull == 0, np.nan, hull)
    return value


def spreading_iou(truth: Floats, spans: Floats) -> Floats:
    """Return the IoU as scripts in numpy compute it: NaN spreads, as does an empty hull's 0 / 0.

    So a span that equals an empty or reversed truth has IoU NaN. Checked against
    microsoft/2D-TAN at 2f7410f0 (lib/core/eval.py), which xiaomi-research/time-r1 at 7f2b5944
    (src/vllm_inference/eval_all.py) took over.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.minimum(spans[..., 1], truth[..., 1]) - np.maximum(spans[..., 0], truth[..., 0])
        hull = np.maximum(spans[..., 1], truth[..., 1]) - np.minimum(spans[..., 0], truth[..., 0])
        value: Floats = np.maximum(0.0, shared) / np.maximum(0.0, hull)
    return value


def truth_first_extents(truth: Floats, spans: Floats) -> tuple[Floats, Floats]:
    """Return intersection (negative where disjoint) and hull, a NaN time taken as the truth's."""
    starts, ends = truth[..., 0], truth[..., 1]
    with np.errstate(invalid="ignore", over="ignore"):
        shared = _python_min(ends, spans[..., 1]) - _python_max(starts, spans[..., 0])
        hull = _python_max(ends, spans[..., 1]) - _python_min(starts, spans[..., 0])
    return shared, hull


IOUS: Mapping[NonFinite, Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {
        "zero": iou,
        "truth-first": truth_first_iou,
        "signed": signed_iou,
        "spread": spreading_iou,
    }
)


def existing(spans: Floats) -> Mask:
    """Return [...]: which rows of [..., 2] exist, where those that do not are NaN."""
    mask: Mask = ~(np.isnan(spans[..., 0]) & np.isnan(spans[..., 1]))
    return mask


def _python_max(first: Floats, second: Floats) -> Floats:
    return np.where(second > first, second, first)


def _python_min(first: Floats, second: Floats) -> Floats:
    return np.where(second < first, second, first)
