"""Blind predictors: they never see a video, so every score should beat them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.metrics.iou import iou
from vtg_eval.types import OutputType, Prediction, Sample, Span

GRID = 0.05  # of the duration: step of the constants that are tried
CLIP = 2.0  # seconds: one saliency score for each, all equal

Fractions = tuple[float, float]
Spans = Callable[[Sequence[Sample]], Sequence[Span]]
Letters = Callable[[Sequence[Sample]], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Blind:
    """A predictor: its name and how it answers questions for spans and for options."""

    name: str
    spans: Spans
    letters: Letters

    def predictions(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Answer every sample with what it asks for."""
        answers = zip(samples, self.spans(samples), self.letters(samples), strict=True)
        return [
            Prediction(
                sample.id,
                spans=None if sample.asks is OutputType.CHOICE else (span,),
                choice=None if sample.asks is OutputType.SPANS else letter,
                saliency=_even(sample),
            )
            for sample, span, letter in answers
        ]


def constant(fractions: Fractions) -> Spans:
    """Answer the same fractions of the duration everywhere."""
    start, end = fractions

    def spans(samples: Sequence[Sample]) -> list[Span]:
        lengths = [sample.duration or 0.0 for sample in samples]
        return [Span(start * length, end * length) for length in lengths]

    return spans


def drawn(samples: Sequence[Sample]) -> list[Span]:
    """Answer two uniform times, sorted: one draw of Python's generator, seed 0, in sample order."""
    draw = random.Random(0)  # noqa: S311 - no secret
    pairs = [(draw.random(), draw.random(), sample.duration or 0.0) for sample in samples]
    return [Span(min(a, b) * length, max(a, b) * length) for a, b, length in pairs]


def majority(samples: Sequence[Sample]) -> list[str | None]:
    """Answer the letter that is right most often in these very samples (of several the first)."""
    return [majority_letter(samples)] * len(samples)


def majority_letter(samples: Sequence[Sample]) -> str | None:
    """Return the letter that is right most often; None where no sample has options."""
    counts = Counter(s.target.choice for s in samples if s.target.choice is not None)
    return min(counts, key=lambda letter: (-counts[letter], letter)) if counts else None


def longest(samples: Sequence[Sample]) -> list[str | None]:
    """Answer the option of most characters (of several the first)."""
    return [longest_option(sample) for sample in samples]


def longest_option(sample: Sample) -> str | None:
    """Return the letter of the longest option; None where there are no options."""
    if not sample.options:
        return None
    lengths = [len(option) for option in sample.options]
    return sample.letters[lengths.index(max(lengths))]


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


def _even(sample: Sample) -> tuple[float, ...] | None:
    """Return the same saliency for every clip, where saliency is asked for."""
    if sample.target.saliency is None or sample.duration is None:
        return None
    return (0.0,) * int(sample.duration / CLIP)
