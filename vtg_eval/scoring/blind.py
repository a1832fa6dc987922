"""Blind predictors: they never see a video, so every model should beat them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.metrics.iou import iou
from vtg_eval.types import OutputType, Prediction, Sample, Span

GRID = 0.05  # of the duration: step of the constants that are tried
CLIP = 2.0  # seconds: one saliency score for each, all equal

Fractions = tuple[float, float]
Spans = Callable[[Sequence[Sample]], Sequence[Span]]
Letters = Callable[[Sequence[Sample]], Sequence[str | None]]

WHOLE: Fractions = (0.0, 1.0)
MAJORITY, LONGEST = "majority letter", "longest option"


@dataclass(frozen=True, slots=True)
class Blind:
    """A predictor: the name of its rule for spans, that rule, and its rule for options.

    letters: a name in `LETTERS`; without options in any sample, "majority letter" is used instead.
    Some answers depend on all samples, so a predictor gets all those that are scored, in the
    annotation's order.
    """

    name: str
    spans: Spans
    letters: str = MAJORITY

    def label(self, samples: Sequence[Sample]) -> str:
        """Return the predictor's name for these samples: of its rule for spans, options or both."""
        asked = {sample.asks for sample in samples}
        spans = [] if asked == {OutputType.CHOICE} else [self.name]
        letters = [] if asked == {OutputType.SPANS} else [self._letters(samples)]
        return ", ".join(spans + letters)

    def predictions(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Answer every sample with what it asks for."""
        letters = LETTERS[self._letters(samples)](samples)
        answers = zip(samples, self.spans(samples), letters, strict=True)
        return [
            Prediction(
                sample.id,
                spans=None if sample.asks is OutputType.CHOICE else (span,),
                choice=None if sample.asks is OutputType.SPANS else letter,
                saliency=_uniform_saliency(sample),
            )
            for sample, span, letter in answers
        ]

    def _letters(self, samples: Sequence[Sample]) -> str:
        return self.letters if any(sample.options for sample in samples) else MAJORITY


def constant_span(fractions: Fractions) -> Blind:
    """Return the predictor that answers the same fractions of the duration everywhere."""
    return Blind(f"constant [{fractions[0]:g}, {fractions[1]:g}]", constant(fractions))


def constant(fractions: Fractions) -> Spans:
    """Answer the same fractions of the duration everywhere."""
    start, end = fractions

    def spans(samples: Sequence[Sample]) -> list[Span]:
        lengths = [sample.duration or 0.0 for sample in samples]
        return [Span(start * length, end * length) for length in lengths]

    return spans


def drawn(samples: Sequence[Sample]) -> list[Span]:
    """Answer two uniform times, sorted: one run of Python's generator, seed 0, in sample order."""
    generator = random.Random(0)  # noqa: S311 - no secret
    pairs = [(generator.random(), generator.random(), sample.duration or 0.0) for sample in samples]
    return [Span(min(a, b) * length, max(a, b) * length) for a, b, length in pairs]


def majority(samples: Sequence[Sample]) -> list[str | None]:
    """Answer the letter that is right most often in these samples (the first of several)."""
    counts = Counter(s.target.choice for s in samples if s.target.choice is not None)
    best = min(counts, key=lambda letter: (-counts[letter], letter)) if counts else None
    return [best] * len(samples)


def longest(samples: Sequence[Sample]) -> list[str | None]:
    """Answer the longest option in characters (the first of several); None without options."""
    return [
        max(zip(sample.options, sample.letters, strict=True), key=lambda pair: len(pair[0]))[1]
        if sample.options
        else None
        for sample in samples
    ]


LETTERS: Mapping[str, Letters] = {MAJORITY: majority, LONGEST: longest}
WHOLE_VIDEO = Blind("whole video", constant(WHOLE))
RANDOM = Blind("random", drawn, LONGEST)
LONGEST_OPTION = Blind("whole video", constant(WHOLE), LONGEST)


def fit_constant(train: Sequence[Sample], step: float = GRID) -> Fractions | None:
    """Return the fractions [start, end] on a grid that have the best mIoU on `train`.

    None where no sample has a duration and an occurrence.
    """
    usable = [(s.target.spans, s.duration) for s in train if s.duration and s.target.spans]
    if not usable:
        return None
    targets = np.full((len(usable), max(len(spans) for spans, _ in usable), 2), np.nan)
    for row, (spans, duration) in enumerate(usable):
        targets[row, : len(spans)] = np.array(spans) / duration
    count = round(1 / step)
    grid = [(i / count, j / count) for i in range(count) for j in range(i + 1, count + 1)]
    means = [float(iou(np.array(span), targets).max(axis=1).mean()) for span in grid]
    return grid[int(np.argmax(means))]


def _uniform_saliency(sample: Sample) -> tuple[float, ...] | None:
    """Return the same saliency for every clip, where saliency is asked for."""
    if sample.target.saliency is None or sample.duration is None:
        return None
    return (0.0,) * int(sample.duration / CLIP)
