"""The same samples through two engines: prompt tokens, pixels, answers, spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vtg_eval.doctor.clock_requests import ClockRequests
from vtg_eval.doctor.clock_videos import trials
from vtg_eval.doctor.engine_answers import EngineAnswer
from vtg_eval.engines.base import Completion, EngineInput, Request
from vtg_eval.metrics.iou import iou
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import Prediction, Sample, Span

CLOCKS = ("24 fps", "variable rate", "4 a second")
ROUNDING = 1e-5  # between two ways of normalising a pixel; a step of its value is 0.004 or more
QUERIES = ("the clock shows its number", "the picture is white")


@dataclass(frozen=True, slots=True)
class SampleParity:
    """One sample through two engines.

    tokens: of the prompt, in each. ids: whether these are the same. input: the largest difference
    of the numbers that both models get (pixels, seconds per grid step), infinite for another
    number of them, None where an engine does not show them. answers: the text of each. iou: of
    the spans that count, None where an answer has none.
    """

    sample: str
    tokens: tuple[int, int]
    ids: bool
    input: float | None
    answers: tuple[str, str]
    iou: float | None

    @property
    def same_input(self) -> bool:
        """Whether both models get the same, as far as it is known."""
        return self.ids and (self.input is None or self.input <= ROUNDING)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "same_input": self.same_input}


def parity_requests(clocks: ClockRequests) -> tuple[list[Sample], list[Request]]:
    """Return a few samples on a few clock videos, and their requests."""
    samples, requests = [], []
    for trial in trials():
        if trial.name in CLOCKS:
            frames = clocks.frames(trial)
            for query in QUERIES:
                sample = clocks.sample(trial, frames, query)
                samples.append(sample)
                requests.append(clocks.request(sample, frames))
    return samples, requests


def compare(
    samples: Sequence[Sample],
    first: Mapping[str, EngineAnswer],
    second: Mapping[str, EngineAnswer],
    protocol: ResolvedProtocol,
) -> list[SampleParity]:
    """Compare what two engines gave the model and what it answered, sample by sample."""
    return [_pair(sample, first[sample.id], second[sample.id], protocol) for sample in samples]


def _pair(
    sample: Sample, first: EngineAnswer, second: EngineAnswer, protocol: ResolvedProtocol
) -> SampleParity:
    completions = (first.completion, second.completion)
    ids = [one.prompt_token_ids for one in completions]
    spans = [_span(sample, one.text, protocol) for one in completions]
    overlap = None
    if spans[0] is not None and spans[1] is not None:
        overlap = float(iou(np.array(spans[0]), np.array(spans[1])))
    return SampleParity(
        sample=sample.id,
        tokens=(len(ids[0]), len(ids[1])),
        ids=ids[0] == ids[1],
        input=_difference(first.given, second.given),
        answers=(_said(completions[0]), _said(completions[1])),
        iou=overlap,
    )


def _said(completion: Completion) -> str:
    """Return the answer's text, or the error in its place."""
    return completion.text if completion.error is None else f"({completion.error})"


def _difference(first: EngineInput | None, second: EngineInput | None) -> float | None:
    """Return the largest difference of the numbers that both engines show."""
    if first is None or second is None:
        return None
    names = first.tensors.keys() & second.tensors.keys()
    return max((_largest(first.tensors[n], second.tensors[n]) for n in names), default=None)


def _largest(first: Any, second: Any) -> float:
    """Return the largest difference of two rows, both in the coarser of their types."""
    if first.shape != second.shape:
        return float("inf")
    coarser = min(first.dtype, second.dtype, key=lambda dtype: dtype.itemsize)
    difference = first.to(coarser).double() - second.to(coarser).double()
    return float(difference.abs().max()) if len(difference) else 0.0


def _span(sample: Sample, text: str, protocol: ResolvedProtocol) -> Span | None:
    return parse_answer(sample, Prediction(sample.id, text), protocol).span
