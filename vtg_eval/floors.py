"""What a blind guess gets on the same samples, and the best that the model's frames allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.metrics.grounding import best_ious, percentages, sample_values
from vtg_eval.metrics.iou import Floats, iou
from vtg_eval.protocol import Protocol
from vtg_eval.task import Card, Task
from vtg_eval.types import Sample

TRAIN = "train"
GRID = 0.05  # of the duration: step of the constants that are tried
DRAWS = 256  # random spans for each sample
# steps of the two-dimensional low-discrepancy sequence: powers of the plastic number's inverse
STEPS = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True, slots=True)
class Floor:
    """A blind predictor's metrics on the samples, in percent, named as the protocol's."""

    name: str
    metrics: Mapping[str, float]


def floors(
    card: Card, samples: Sequence[Sample], protocol: Protocol, train: Sequence[Sample] = ()
) -> tuple[Floor, ...]:
    """Return the floors: whole video, uniform random, and the constant fitted on `train`.

    The card's constant span comes first where it has one. Empty where a duration is unknown,
    for then the predictors are not defined on the same samples.
    """
    if not samples or any(sample.duration is None for sample in samples):
        return ()
    found = [
        Floor("whole video", constant_score(samples, protocol, (0.0, 1.0))),
        Floor("random", random_score(samples, protocol)),
    ]
    span = card.constant_span or fit_constant(train)
    if span:
        name = f"constant [{span[0]:g}, {span[1]:g}]"
        found.append(Floor(name, constant_score(samples, protocol, span)))
    return tuple(found)


def task_floors(
    task: Task, root: Path, samples: Sequence[Sample], protocol: Protocol
) -> tuple[Floor, ...]:
    """Return the floors, with the constant fitted on the train split that lies under `root`.

    Without that split (or where the card names the constant) it is not read.
    """
    names = [facts.name for facts in task.card.splits]
    train: Sequence[Sample] = ()
    if task.card.constant_span is None and TRAIN in names:
        try:
            train = task.samples(root, TRAIN)
        except UserError:  # the train split is not on this machine: one floor fewer
            train = ()
    return floors(task.card, samples, protocol, train)


def constant_score(
    samples: Sequence[Sample], protocol: Protocol, span: tuple[float, float]
) -> Mapping[str, float]:
    """Return the metrics of answering the same fractions of the duration everywhere."""
    spans = np.array(span) * _durations(samples)[:, None]
    return _figures(best_ious(spans[:, None, :], _targets(samples)), protocol)


def random_score(
    samples: Sequence[Sample], protocol: Protocol, draws: int = DRAWS
) -> Mapping[str, float]:
    """Return the expected metrics of two uniform times, sorted.

    The expectation is taken over `draws` points for each sample of a sequence that fills the
    square evenly and goes on from sample to sample, so that it needs no seed.
    """
    durations = _durations(samples)
    index = np.arange(len(samples) * draws, dtype=np.float64)
    times = np.sort((0.5 + index[:, None] * np.array(STEPS)) % 1.0, axis=1)
    spans = times.reshape(len(samples), draws, 2) * durations[:, None, None]
    ious = best_ious(spans, _targets(samples)).reshape(-1, 1)
    return _figures(ious, protocol)


def fit_constant(train: Sequence[Sample], step: float = GRID) -> tuple[float, float] | None:
    """Return the fractions [start, end] on a grid that have the best mIoU on `train`.

    None where no sample has a duration and an occurrence.
    """
    usable = [s for s in train if s.duration is not None and s.target.spans]
    if not usable:
        return None
    targets = _targets(usable) / _durations(usable)[:, None, None]
    count = round(1 / step)
    grid = [(i / count, j / count) for i in range(count) for j in range(i + 1, count + 1)]
    means = [float(iou(np.array(span), targets).max(axis=1).mean()) for span in grid]
    return grid[int(np.argmax(means))]


def grid_ceiling(
    samples: Sequence[Sample], frame_times: Mapping[str, Floats], protocol: Protocol
) -> Mapping[str, float]:
    """Return the metrics of the best answer whose start and end are times of shown frames.

    frame_times: for each sample's id the times (seconds, ascending) that the model was told.
    An event that never happens needs no frame: its ceiling is a right answer.
    """
    best = [_best_on_grid(sample, frame_times[sample.id]) for sample in samples]
    return _figures(np.array(best, dtype=np.float64).reshape(-1, 1), protocol)


def _best_on_grid(sample: Sample, times: Floats) -> float:
    if not sample.target.spans:
        return 1.0
    if not len(times):
        return 0.0
    targets = np.array(sample.target.spans, dtype=np.float64)
    # the IoU rises up to the true time and falls after it: only its two neighbours can be best
    after = np.searchsorted(times, targets)
    near = np.stack([np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)], axis=-1)
    starts, ends = times[near[:, 0, :, None]], times[near[:, 1, None, :]]
    spans = np.stack(np.broadcast_arrays(starts, ends), axis=-1)
    return float(iou(spans, targets[:, None, None, :]).max())


def _figures(ious: Floats, protocol: Protocol) -> Mapping[str, float]:
    values = sample_values(ious, protocol.score)
    return percentages(values, np.ones(len(ious), dtype=np.bool_), protocol.score)


def _durations(samples: Sequence[Sample]) -> Floats:
    return np.array([sample.duration for sample in samples], dtype=np.float64)


def _targets(samples: Sequence[Sample]) -> Floats:
    """Return [N, K, 2], NaN where there is no further occurrence."""
    targets = np.full((len(samples), max(len(s.target.spans) for s in samples), 2), np.nan)
    for row, sample in enumerate(samples):
        if sample.target.spans:
            targets[row, : len(sample.target.spans)] = sample.target.spans
    return targets
