"""Runs of predictors on generated samples, as they are and transformed; no video is opened."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.page_case import answer, run_of
from vtg_eval.probe.transform import transform
from vtg_eval.probe.transformation import STANDARD, transformation
from vtg_eval.run.finished import FinishedRun
from vtg_eval.types import Sample, Span, Target

Predictor = Callable[[Sequence[Sample]], Sequence[Span | None]]
"""A model: from samples to spans; None: it answers that the event never happens."""


def samples(videos: int = 40, seed: int = 1) -> tuple[Sample, ...]:
    """Return two samples on each video, of 20 to 60 s; moments of 2 to 10 s, on half seconds.

    The first moment is nearly the whole video: nothing can be trimmed there.
    """
    draw = random.Random(seed)
    listed = []
    for video in range(videos):
        duration = draw.randint(40, 120) / 2
        for number in range(2):
            length = draw.randint(4, 20) / 2
            start = draw.randint(0, int(2 * (duration - length))) / 2
            listed.append(
                Sample(
                    id=f"v{video}/{number}",
                    video=f"v{video}",
                    query=f"event {number} of {video}",
                    target=Target((Span(start, start + length),)),
                    duration=duration,
                )
            )
    first = listed[0]
    longest = Target((Span(1.0, (first.duration or 0.0) - 1.0),))
    return (replace(first, target=longest), *listed[1:])


SAMPLES = samples()


def oracle(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer with the ground truth."""
    return [one.target.spans[0] if one.target.spans else None for one in asked]


def run(predictor: Predictor, text: str = "", asked: Sequence[Sample] = SAMPLES) -> FinishedRun:
    """Return a predictor's run, under a transformation."""
    change = transformation(text) if text else None
    transformed = transform(asked, change) if change else None
    shown = tuple(item.sample for item in transformed.samples) if transformed else tuple(asked)
    records = [
        answer(one.id, "It never happens." if span is None else f"{span.start} - {span.end}")
        for one, span in zip(shown, predictor(shown), strict=True)
    ]
    plain = run_of(asked, records)
    return replace(
        plain,
        spec=replace(plain.spec, transformation=change),
        samples=shown,
        transformed=transformed,
    )


def probes(predictor: Predictor, texts: Sequence[str] = STANDARD) -> list[FinishedRun]:
    """Return a predictor's runs under transformations."""
    return [run(predictor, text) for text in texts]
