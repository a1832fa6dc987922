"""A score's samples as arrays: first span in seconds, its IoU, its part of the metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats, Mask, iou
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.grounding import padded
from vtg_eval.scoring.score import Score
from vtg_eval.types import OutputType


@dataclass(frozen=True, slots=True)
class Measured:
    """Arrays over the N samples of a score.

    spans: [N, 2], seconds, NaN if the answer has none. truths: [N, 2], the occurrence with the
    highest IoU, NaN if there is none. iou: [N], their strict IoU; for an event that never happens
    1 if the answer says so, else 0; NaN if no span was asked for. worth: [N], the part of the
    primary metric, 0 to 1. counted: [N], whether the sample is in that metric's denominator.
    durations: [N], seconds, NaN if unknown. videos: [N], video numbers.
    """

    spans: Floats
    truths: Floats
    iou: Floats
    worth: Floats
    counted: Mask
    durations: Floats
    videos: npt.NDArray[np.intp]

    @property
    def moments(self) -> Floats:
        """Lengths of the true moments, [N], seconds, NaN if there is none."""
        lengths: Floats = self.truths[:, 1] - self.truths[:, 0]
        return lengths


def measure(result: Score, protocol: ResolvedProtocol) -> Measured:
    """Return a score's arrays; `protocol` is the one it was computed under."""
    samples, parsed_answers = result.samples, result.parsed_answers
    durations = np.array([np.nan if s.duration is None else s.duration for s in samples])
    spans = padded([answer.spans[:1] for answer in parsed_answers], 1)[:, 0]
    if protocol.answer.unit == "percent":
        spans = spans * durations[:, None]
    targets = padded([sample.target.spans for sample in samples], 1)
    ious = iou(spans[:, None], targets)
    best = ious.argmax(axis=1)
    rows = np.arange(len(samples))
    best_iou = ious[rows, best]
    happens = np.array([bool(sample.target.spans) for sample in samples], dtype=np.bool_)
    absent = np.array([answer.absent for answer in parsed_answers], dtype=np.bool_)
    asked = np.array([sample.asks is not OutputType.CHOICE for sample in samples], dtype=np.bool_)
    best_iou = np.where(happens, best_iou, absent.astype(np.float64))
    primary = result.table.columns[result.table.primary]
    numbers: dict[str, int] = {}
    videos = [numbers.setdefault(sample.video, len(numbers)) for sample in samples]
    return Measured(
        spans=spans,
        truths=targets[rows, best],
        iou=np.where(asked, best_iou, np.nan),
        worth=primary.values,
        counted=primary.counted,
        durations=durations,
        videos=np.array(videos, dtype=np.intp),
    )
