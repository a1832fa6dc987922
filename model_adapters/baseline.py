"""Blind predictors as models: they see no picture, and every model should beat them.

Each gives the answers of the floor of its name: `baseline:whole-video`, `baseline:random`,
`baseline:constant:START:END` (fractions of the duration, for instance those in the name of a
run's floor, fitted on the train split), `baseline:majority-letter` and `baseline:longest-option`.
The answers are text, so they have no saliency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError, suggestion
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.scoring.blind import LONGEST_OPTION, RANDOM, WHOLE_VIDEO, Blind, constant_span
from vtg_eval.scoring.floors import no_floors
from vtg_eval.types import OutputType, Prediction, Sample
from vtg_eval.video.frames import Frames

CONSTANT = "constant"
PREDICTORS: Mapping[str, Blind] = {
    "whole-video": WHOLE_VIDEO,
    "random": RANDOM,
    "majority-letter": WHOLE_VIDEO,  # its rule for options is the majority letter
    "longest-option": LONGEST_OPTION,
}


class BaselineAdapter(Adapter):
    """A predictor without a model."""

    needs_frames = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._predictor = _predictor(checkpoint.argument)
        self._predictions: Mapping[str, Prediction] = {}

    def begin(self, samples: Sequence[Sample]) -> None:
        """Answer all samples at once: some predictors' answers depend on all of them.

        Raises UserError where spans are asked for and no duration is known.
        """
        asked = [sample for sample in samples if sample.asks is not OutputType.CHOICE]
        if asked and all(sample.duration is None for sample in asked):
            raise UserError(
                f"Baselines answer from durations, but {no_floors(samples)}. Add the benchmark's "
                "file of durations, or its videos."
            )
        self._predictions = {answer.id: answer for answer in self._predictor.predictions(samples)}

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the size as it is; no frame is ever looked at."""
        return height, width

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the answer "B", "START to END" or both, as the sample asks.

        Raises ValueError where a span is asked for and there is no duration.
        """
        if sample.asks is not OutputType.CHOICE and sample.duration is None:
            raise ValueError("no duration, neither in the annotation nor from a video file")
        prediction = self._predictions[sample.id]
        parts = [] if prediction.choice is None else [prediction.choice]
        parts += [
            f"{_seconds(span.start)} to {_seconds(span.end)}" for span in prediction.spans or ()
        ]
        return Request(sample.id, prompt="", answer=", ".join(parts))


def _predictor(argument: str) -> Blind:
    name, _, fractions = argument.partition(":")
    if name == CONSTANT:
        return constant_span(_fractions(fractions))
    if argument not in PREDICTORS:
        hint = suggestion(argument, (*PREDICTORS, CONSTANT))
        raise UserError(f'There is no baseline "{argument}". {hint}')
    return PREDICTORS[argument]


def _fractions(text: str) -> tuple[float, float]:
    try:
        start, end = (float(number) for number in text.split(":"))
    except ValueError:
        start, end = 1.0, 0.0
    if not 0 <= start < end <= 1:
        raise UserError(
            "baseline:constant needs two fractions of the duration, as in "
            "baseline:constant:0:0.45; a run's floors name those fitted on the train split."
        )
    return start, end


def _seconds(value: float) -> str:
    """Write seconds in full, never with an exponent."""
    return np.format_float_positional(value, trim="0")
