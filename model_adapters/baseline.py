"""Blind predictors as models: they see no picture, and every score should beat them.

`baseline:whole-video`, `baseline:random` (two uniform times, fixed by the sample's id) and
`baseline:constant:START:END` (fractions of the duration, for instance those that a run's floors
name as fitted on the train split). A question with options gets the longest one.
"""

from __future__ import annotations

import hashlib

import numpy as np

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError, suggestion
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.scoring.blind import longest_option
from vtg_eval.types import OutputType, Sample
from vtg_eval.video.frames import Frames

WHOLE, RANDOM, CONSTANT = "whole-video", "random", "constant"


class BaselineAdapter(Adapter):
    """A predictor without a model."""

    needs_frames = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._kind, _, rest = checkpoint.argument.partition(":")
        if self._kind not in (WHOLE, RANDOM, CONSTANT) or (rest and self._kind != CONSTANT):
            hint = suggestion(checkpoint.argument, (WHOLE, RANDOM, CONSTANT))
            raise UserError(f'There is no baseline "{checkpoint.argument}". {hint}')
        self._constant = _fractions(rest) if self._kind == CONSTANT else (0.0, 1.0)

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the size as it is; no frame is ever looked at."""
        return height, width

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the answer "B", "START to END" or both, as the sample asks.

        Raises ValueError where a span is asked for and the duration is not known.
        """
        parts = [] if sample.asks is OutputType.SPANS else [longest_option(sample) or ""]
        if sample.asks is not OutputType.CHOICE:
            parts.append(self._span(sample))
        return Request(sample.id, prompt="", answer=", ".join(parts))

    def _span(self, sample: Sample) -> str:
        if sample.duration is None:
            raise ValueError("the annotation has no duration, which baselines answer from")
        start, end = _draw(sample.id) if self._kind == RANDOM else self._constant
        return f"{_seconds(start * sample.duration)} to {_seconds(end * sample.duration)}"


def _fractions(text: str) -> tuple[float, float]:
    try:
        start, end = (float(word) for word in text.split(":"))
    except ValueError:
        start, end = 1.0, 0.0
    if not 0 <= start < end <= 1:
        raise UserError(
            "baseline:constant needs two fractions of the duration, as in "
            "baseline:constant:0:0.45; a run's floors name those fitted on the train split."
        )
    return start, end


def _draw(sample_id: str) -> tuple[float, float]:
    """Return two sorted numbers in [0, 1), uniform over ids, the same on every machine."""
    seed = hashlib.sha256(sample_id.encode("utf-8", "surrogatepass")).digest()
    first, second = (int.from_bytes(part, "big") / 2**64 for part in (seed[:8], seed[8:16]))
    return min(first, second), max(first, second)


def _seconds(value: float) -> str:
    """Write seconds in full, never with an exponent."""
    return np.format_float_positional(value, trim="0")
