"""Rankings of fixed segments against several annotators, as DiDeMo measures them.

A segment [a, b] goes from chunk a to chunk b, both included; a DiDeMo video has six chunks of 5 s
and so 21 segments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats

Ints = npt.NDArray[np.int64]
SEGMENTS = 21
AGREEING = 3  # annotators that count: those that the ranking fits best


class SegmentScores(NamedTuple):
    """For each sample, [N]: whether the mean rank is at most 1, at most 5, and the mean IoU."""

    rank1: Floats
    rank5: Floats
    iou: Floats


def segment_scores(rankings: Ints, truths: Ints) -> SegmentScores:
    """Return the values of each sample from its ranking and its annotators' segments.

    rankings: [N, R, 2], best first, truths: [N, A, 2]: chunk numbers, -1 where there is none.
    The ranks and the IoUs (of the first segment) are each averaged over the three annotators
    that they fit best. A segment that a ranking lacks ranks behind all 21, so that a short list
    has no advantage; the official script stops there. Samples without an
    annotator or a ranking have 0.
    Checked against LisaAnne/LocalizingMoments at b6a555c8 (utils/eval.py).
    """
    annotated = (truths >= 0).all(axis=2)
    ranks = np.sort(np.where(annotated, _ranks(rankings, truths), np.inf), axis=1)[:, :AGREEING]
    mean_rank = _mean(ranks, np.isfinite(ranks), if_none=np.inf)
    # missing annotators sort to the front; the best three are summed upwards, as numpy's mean does
    ious = np.sort(np.where(annotated, _first_ious(rankings, truths), -1.0), axis=1)[:, -AGREEING:]
    return SegmentScores(
        rank1=(mean_rank <= 1).astype(np.float64),
        rank5=(mean_rank <= 5).astype(np.float64),
        iou=_mean(ious, ious >= 0, if_none=0.0),
    )


def _ranks(rankings: Ints, truths: Ints) -> Floats:
    """Return [N, A]: the rank of each annotator's segment in the ranking, from 1."""
    last = max(SEGMENTS, rankings.shape[1]) + 1
    if not rankings.shape[1]:
        return np.full(truths.shape[:2], last, dtype=np.float64)
    same = (rankings[:, None, :, :] == truths[:, :, None, :]).all(axis=3)
    return np.where(same.any(axis=2), same.argmax(axis=2) + 1, last).astype(np.float64)


def _first_ious(rankings: Ints, truths: Ints) -> Floats:
    """Return [N, A]: the IoU of the best ranked segment with each annotator's, in chunks."""
    if not rankings.shape[1]:
        return np.zeros(truths.shape[:2])
    first = rankings[:, :1, :]
    shared = (
        np.minimum(first[..., 1], truths[..., 1]) + 1 - np.maximum(first[..., 0], truths[..., 0])
    )
    hull = np.maximum(first[..., 1], truths[..., 1]) + 1 - np.minimum(first[..., 0], truths[..., 0])
    usable = (shared > 0) & (first >= 0).all(axis=2)
    return np.where(usable, shared / np.where(usable, hull, 1), 0.0)


def _mean(values: Floats, counted: npt.NDArray[np.bool_], if_none: float) -> Floats:
    total = np.zeros(len(values))
    for column, counts in zip(values.T, counted.T, strict=True):
        total = total + np.where(counts, column, 0.0)
    number = counted.sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), if_none)
