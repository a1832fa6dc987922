"""Each sample of a score as numbers: the span that counts in seconds, its IoU, its worth."""

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

    spans: [N, 2], seconds, NaN where the answer has none. truths: [N, 2], the occurrence that the
    span fits best, NaN where there is none. iou: [N], the strict IoU of the two; for an event
    that never happens 1 where the answer says so, else 0; NaN where no span was asked for.
    worth: [N], the part of the primary metric, 0 to 1. counted: [N], whether it is in that
    metric's denominator. durations: [N], seconds, NaN where unknown. videos: [N], numbers.
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
        """Lengths of the true moments, [N], seconds, NaN where there is none."""
        lengths: Floats = self.truths[:, 1] - self.truths[:, 0]
        return lengths


def measure(result: Score, protocol: ResolvedProtocol) -> Measured:
    """Measure a score; `protocol` is the one that it was made under."""
    samples, parsed_answers = result.samples, result.parsed_answers
    durations = np.array([np.nan if s.duration is None else s.duration for s in samples])
    spans = padded([reading.spans[:1] for reading in parsed_answers], 1)[:, 0]
    if protocol.answer.unit == "percent":
        spans = spans * durations[:, None]
    targets = padded([sample.target.spans for sample in samples], 1)
    each = iou(spans[:, None], targets)
    best = each.argmax(axis=1)
    rows = np.arange(len(samples))
    fit = each[rows, best]
    happens = np.array([bool(sample.target.spans) for sample in samples], dtype=np.bool_)
    absent = np.array([reading.absent for reading in parsed_answers], dtype=np.bool_)
    asked = np.array([sample.asks is not OutputType.CHOICE for sample in samples], dtype=np.bool_)
    fit = np.where(happens, fit, absent.astype(np.float64))
    primary = result.table.columns[result.table.primary]
    number: dict[str, int] = {}
    return Measured(
        spans=spans,
        truths=targets[rows, best],
        iou=np.where(asked, fit, np.nan),
        worth=primary.values,
        counted=primary.counted,
        durations=durations,
        videos=np.array([number.setdefault(s.video, len(number)) for s in samples], dtype=np.intp),
    )
