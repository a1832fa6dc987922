"""Answers to the same samples before and after a transformation, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vtg_eval.metrics.equivariance import same_fractions, tolerances, within
from vtg_eval.metrics.iou import Floats, Mask, iou
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.probe.transform import TransformedSample
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.blind import Blind
from vtg_eval.scoring.grounding import padded
from vtg_eval.types import Prediction, Sample, Span

NOWHERE = Span(np.nan, np.nan)
SAME_SECONDS, SAME_FRACTIONS = "same seconds", "same fractions"


class Answers(NamedTuple):
    """Answers to N samples: the spans that count, [N, 2], seconds, NaN where there is none or it
    is reversed; absent: bool [N], whether the answer says that the event never happens."""

    spans: Floats
    absent: Mask


def parsed_answers(
    samples: Sequence[Sample], predictions: Sequence[Prediction], protocol: ResolvedProtocol
) -> Answers:
    """Parse predictions as the protocol does."""
    parsed = AnswerSet(samples, predictions).parse(protocol).parsed_answers
    fractions = protocol.answer.unit == "percent"
    rows = zip(samples, parsed, strict=True)
    spans = [_seconds(sample, answer, fractions) for sample, answer in rows]
    absent = np.array([answer.absent for answer in parsed], dtype=np.bool_)
    return Answers(np.array(spans, dtype=np.float64).reshape(-1, 2), absent)


def _seconds(sample: Sample, answer: ParsedAnswer, fractions: bool) -> Span:
    span = answer.span
    if span is None or not np.isfinite(span).all() or span.end < span.start:
        return NOWHERE
    scale = (sample.duration or np.nan) if fractions else 1.0
    return Span(span.start * scale, span.end * scale)


def blind_answers(blind: Blind) -> Callable[[Sequence[Sample]], Answers]:
    """Return the answers of a blind predictor to any samples, as a function."""

    def answers(samples: Sequence[Sample]) -> Answers:
        spans = np.array(blind.spans(samples), dtype=np.float64).reshape(-1, 2)
        return Answers(spans, np.zeros(len(samples), dtype=np.bool_))

    return answers


@dataclass(frozen=True, slots=True)
class PairedAnswers:
    """N samples, original and transformed, with the answers to both."""

    originals: tuple[Sample, ...]
    items: tuple[TransformedSample, ...]
    before: Answers
    after: Answers

    @property
    def videos(self) -> list[str]:
        """The original video of each sample."""
        return [sample.video for sample in self.originals]

    @property
    def durations(self) -> tuple[Floats, Floats]:
        """Of the original and of the transformed videos, each [N], seconds."""
        asked = (self.originals, [item.sample for item in self.items])
        first, second = (
            np.array([np.nan if s.duration is None else s.duration for s in samples])
            for samples in asked
        )
        return first, second

    @property
    def tolerance(self) -> Floats:
        """What an end may be away, [N], seconds."""
        return tolerances(self.durations[1])

    @property
    def with_span(self) -> Mask:
        """Which original answers have a span, bool [N]."""
        return np.asarray(np.isfinite(self.before.spans).all(axis=1), dtype=np.bool_)

    def expected(self) -> Floats:
        """Return where the original answers are in the transformed videos, [N, 2].

        NaN where there is no answer, or where it is no longer shown.
        """
        rows = zip(self.items, self.before.spans.tolist(), strict=True)
        return np.array(
            [(item.time_map and item.time_map.span(Span(*span))) or NOWHERE for item, span in rows],
            dtype=np.float64,
        ).reshape(-1, 2)

    def copies(self) -> Mapping[str, Floats]:
        """Return what repeats the original answers without a look at the video, each [N, 2].

        At the same seconds, and at the same fractions of the duration.
        """
        before, after = self.durations
        return {
            SAME_SECONDS: self.before.spans,
            SAME_FRACTIONS: same_fractions(self.before.spans, before, after),
        }

    def true_ious(self) -> tuple[Floats, Floats]:
        """Return the IoU of the answers with the moments, before and after, each [N], 0 to 1."""
        after = [item.sample for item in self.items]
        return _best_iou(self.before.spans, self.originals), _best_iou(self.after.spans, after)

    def unchanged(self) -> Mask:
        """Return bool [N]: the answer has the same seconds or the same fractions as before."""
        return _repeated(self.after.spans, self.copies(), self.tolerance)

    def unrelated(self) -> Mask:
        """Return bool [N]: the answer is the original one to a sample on another video.

        That is the next one of the list that has a span. How often this is so by chance is the
        measure for `unchanged`.
        """
        place = self._next_on_another_video()
        spans, durations = self.before.spans[place], self.durations[0][place]
        copies = {
            SAME_SECONDS: spans,
            SAME_FRACTIONS: same_fractions(spans, durations, self.durations[1]),
        }
        return _repeated(self.after.spans, copies, self.tolerance)

    def _next_on_another_video(self) -> list[int]:
        """Return for each sample the next, around the end, with a span on another video.

        Where there is none, the sample itself.
        """
        videos = self.videos
        usable = np.flatnonzero(self.with_span).tolist()
        places = np.searchsorted(usable, np.arange(len(videos)), side="right").tolist()
        return [
            next(
                (
                    usable[k % len(usable)]
                    for k in range(place, place + len(usable))
                    if videos[usable[k % len(usable)]] != videos[row]
                ),
                row,
            )
            for row, place in enumerate(places)
        ]


def _repeated(answers: Floats, copies: Mapping[str, Floats], tolerance: Floats) -> Mask:
    repeated: Mask = np.any([within(answers, c, tolerance) for c in copies.values()], axis=0)
    return repeated


def _best_iou(spans: Floats, samples: Sequence[Sample]) -> Floats:
    targets = padded([sample.target.spans for sample in samples], 1)
    best: Floats = iou(spans[:, None], targets).max(axis=1)
    return best
