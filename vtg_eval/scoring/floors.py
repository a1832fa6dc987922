"""The scores of blind predictors on the same samples, and the best that the frames allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtg_eval.annotations.split import read_split
from vtg_eval.errors import MissingFileError
from vtg_eval.metrics.iou import Floats, iou
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.blind import (
    LONGEST_OPTION,
    RANDOM,
    WHOLE,
    WHOLE_VIDEO,
    Blind,
    Fractions,
    constant_span,
    fit_constant,
)
from vtg_eval.scoring.score import score
from vtg_eval.task import Card, Task
from vtg_eval.types import OutputType, Prediction, Sample, Span

FIT_SPLITS = ("train", "val")  # the blind constant is fitted on the first that exists


@dataclass(frozen=True, slots=True)
class Floor:
    """A blind predictor's metrics on the samples, in percent, named as the protocol's.

    headline: those of the narrow table.
    """

    name: str
    metrics: Mapping[str, float]
    headline: tuple[str, ...]


def floors(
    card: Card,
    split: str,
    samples: Sequence[Sample],
    protocol: ResolvedProtocol,
    fitted: Fractions | None = None,
) -> tuple[Floor, ...]:
    """Return the scores of blind predictors, under the same protocol as a model's.

    fitted: the constant span, where the card has none. Empty where `no_floors` gives a reason.
    """
    if not samples or no_floors(samples):
        return ()
    predictors = _predictors({s.asks for s in samples}, card.constant_span or fitted)
    scored = []
    for label, blind in {blind.label(samples): blind for blind in predictors}.items():
        result = score(card, samples, blind.predictions(samples), protocol, split)
        scored.append(Floor(label, result.metrics, result.table.narrow))
    return tuple(scored)


def no_floors(samples: Sequence[Sample]) -> str:
    """Return why the blind predictors are not defined on the same samples, "" where they are."""
    asked = [sample for sample in samples if sample.asks is not OutputType.CHOICE]
    unknown = [sample for sample in asked if sample.duration is None]
    if not unknown:
        return ""
    return (
        f"{len(unknown):,} of {len(asked):,} samples have no duration, neither in the annotation "
        f"nor from a video file; the first is {unknown[0].id}"
    )


def _predictors(asked: set[OutputType], fitted: Fractions | None) -> list[Blind]:
    if asked == {OutputType.CHOICE}:
        return [WHOLE_VIDEO, LONGEST_OPTION]
    constants = [constant_span(fitted)] if fitted and fitted != WHOLE else []
    return [WHOLE_VIDEO, RANDOM, *constants]


def task_floors(
    task: Task, root: Path, split: str, samples: Sequence[Sample], protocol: ResolvedProtocol
) -> tuple[Floor, ...]:
    """Return the floors; the constant is the card's, or fitted on another split under `root`."""
    fitted = None if task.card.constant_span else fitted_constant(task, root, split)
    return floors(task.card, split, samples, protocol, fitted)


def fitted_constant(task: Task, root: Path, split: str) -> Fractions | None:
    """Return the constant span with the best mIoU on the train split, else on the val split.

    None where neither exists on this machine as another split than `split`. Raises DataError for
    annotations that are malformed.
    """
    other_splits = {metadata.name for metadata in task.card.splits} - {split}
    for name in FIT_SPLITS:
        if name in other_splits:
            try:
                return fit_constant(read_split(task, root, name))
            except MissingFileError:
                continue
    return None


def ceiling(
    card: Card,
    split: str,
    samples: Sequence[Sample],
    frame_times: Mapping[str, Floats],
    protocol: ResolvedProtocol,
) -> Mapping[str, float]:
    """Return the metrics of the best answers whose times are times of shown frames.

    frame_times: for each sample's id the model times (seconds, ascending).
    All options and events that never happen are answered right.
    """
    answers = [
        Prediction(
            sample.id,
            spans=None
            if sample.asks is OutputType.CHOICE
            else _best(sample, frame_times[sample.id]),
            choice=sample.target.choice,
        )
        for sample in samples
    ]
    return score(card, samples, answers, protocol, split).metrics


def _best(sample: Sample, times: Floats) -> tuple[Span, ...]:
    """Return for each occurrence the span between frame times that fits it best, best first."""
    if not sample.target.spans:
        return ()
    if not len(times):
        return (Span(0.0, 0.0),)
    fits = [_nearest(span, times) for span in sample.target.spans]
    return tuple(span for _, span in sorted(fits, key=lambda pair: -pair[0]))


def _nearest(target: Span, times: Floats) -> tuple[float, Span]:
    # The IoU rises up to the true time and falls after it, so one of its two neighbours is best.
    after = np.searchsorted(times, np.array(target))
    neighbours = np.stack([np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)], axis=-1)
    spans = np.array([(a, b) for a in times[neighbours[0]] for b in times[neighbours[1]]])
    ious = iou(spans, np.array(target, dtype=np.float64))
    best = int(np.argmax(ious))
    return float(ious[best]), Span(float(spans[best, 0]), float(spans[best, 1]))
