"""Labels made wrong on purpose, to study what wrong labels do to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np

from vtg_eval.types import Span

from .sample import TrainingSample


def with_label_noise(samples: Sequence[TrainingSample], share: float) -> tuple[TrainingSample, ...]:
    """Return the samples, that share of them with moments of the same length at another time.

    The share is of the samples that could have one: those with a duration and one or more spans,
    of which the first is moved and the others go. Which they are and where the moments go depends
    on nothing but the samples' ids.
    """
    movable = [sample for sample in samples if sample.spans and sample.duration]
    wrong = sorted(movable, key=lambda sample: crc32(sample.id.encode()))
    moved = {sample.id: _moved(sample) for sample in wrong[: round(share * len(movable))]}
    return tuple(moved.get(sample.id, sample) for sample in samples)


def _moved(sample: TrainingSample) -> TrainingSample:
    start, end = sample.spans[0]
    length = end - start
    room = max((sample.duration or 0.0) - length, 0.0)
    place = float(np.random.default_rng(crc32(sample.id.encode())).uniform(0.0, room))
    return replace(sample, spans=(Span(place, place + length),))
