"""Check that a model is given true times: clock videos through decoder, adapter and processor.

No weights are read. The model's processor is called as the engines call it, and the times are read
from its output: the time stamps in the prompt, or the seconds per grid step.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.doctor.clock_videos import Clock, clocks, number_in, write
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.types import Sample, Target
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import Frames

PAIR = 2
STAMP = re.compile(r"<(\d+(?:\.\d+)?) seconds>")
STAMP_RESOLUTION = 0.05  # half of the last decimal
# rounding error of the comparison, far below any resolution
SLACK = 1e-4

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EncodedTimes:
    """The times in a processor's output: seconds, one for each pair of frames.

    resolution: the rounding error of the encoding. pair_start: whether a time is that of a pair's
    first frame (a grid) and not of its middle (a stamp).
    """

    times: Times
    resolution: float
    pair_start: bool


@dataclass(frozen=True, slots=True)
class ClockResult:
    """One clock video's result. Errors are the largest ones, in seconds.

    decoded: the decoder's times against the true times of the pictures. model_times: the times in
    the processor's output against the true times. recorded: those against the adapter's
    `Request.model_times`.
    """

    clock: str
    frames: int
    decoded: float
    model_times: float
    recorded: float
    resolution: float

    @property
    def true(self) -> bool:
        """Whether all three errors are within their limits."""
        within = self.model_times <= self.resolution + SLACK
        return within and self.decoded <= SLACK * 10 and self.recorded <= SLACK


def examine(
    checkpoint: Checkpoint, adapter: Adapter, decoder: Decoder, protocol: ResolvedProtocol
) -> tuple[ClockResult, ...]:
    """Return a finding for each clock video.

    Raises UserError where the checkpoint has no processor or encodes time in an unknown way.
    """
    if checkpoint.path is None or not adapter.needs_frames:
        raise UserError(
            f"{checkpoint.reference} is given no times, so there is nothing to check. Name a "
            "checkpoint that reads frames."
        )
    build = _builder(checkpoint.path)
    config = checkpoint.config or {}
    with tempfile.TemporaryDirectory(prefix="vtg-eval-doctor-") as name:
        folder = Path(name)
        requests = RequestBuilder(adapter, decoder, folder / "frames")
        context = SampleContext(protocol, no_subtitles)
        results = []
        for clock in clocks():
            frames = requests.frames(write(clock, folder), (), protocol.frames)
            request = requests.request(_sample(clock), frames, context)
            text, tensors = build(request)
            results.append(_compare(clock, frames, request, _read(text, tensors, config)))
    return tuple(results)


def _compare(clock: Clock, frames: Frames, request: Request, encoded: EncodedTimes) -> ClockResult:
    true = np.array([clock.times[number_in(picture)] for picture in frames.array])
    paired = true.reshape(-1, PAIR)
    expected = paired[:, 0] if encoded.pair_start else paired.mean(axis=1)
    if len(encoded.times) != len(expected):
        raise UserError(
            f"The processor gives {len(encoded.times)} times for {len(expected)} pairs of frames: "
            "its way of encoding time is not supported."
        )
    return ClockResult(
        clock=clock.name,
        frames=len(true),
        decoded=_largest(frames.times - true),
        model_times=_largest(encoded.times - expected),
        recorded=_largest(encoded.times - np.array(request.model_times)),
        resolution=encoded.resolution,
    )


def _read(text: str, tensors: Mapping[str, Any], config: Mapping[str, Any]) -> EncodedTimes:
    """Read the times out of a processor's output."""
    grid, step = tensors.get("video_grid_thw"), tensors.get("second_per_grid_ts")
    if grid is not None and step is not None:
        unit = 1 / float((config.get("vision_config") or {}).get("tokens_per_second", 2))
        steps = np.floor(np.arange(int(grid[0, 0])) * float(step[0]) / unit)
        return EncodedTimes(steps * unit, unit, pair_start=True)
    stamps = np.array([float(stamp) for stamp in STAMP.findall(text)])
    if len(stamps):
        return EncodedTimes(stamps, STAMP_RESOLUTION, pair_start=False)
    raise UserError(
        "No times can be read from the output of the checkpoint's processor: its way of encoding "
        "time is not supported."
    )


def _builder(path: Path) -> Any:
    """Return a function from requests to (text, tensors) as the model gets them."""
    try:
        from vtg_eval.engines.loading import load_processor
        from vtg_eval.engines.model_inputs import InputBuilder
    except ImportError as exc:
        raise UserError(f'`doctor time` needs the extra hf (README, "Install"): {exc}') from exc
    processor = load_processor(path)
    builder = InputBuilder(processor)

    def build(request: Request) -> tuple[str, Mapping[str, Any]]:
        inputs = builder.build(request)
        return processor.tokenizer.decode(inputs.ids), inputs.tensors

    return build


def _sample(clock: Clock) -> Sample:
    return Sample(clock.name, clock.name, "the clock shows its number", Target())


def _largest(errors: Times | Sequence[float]) -> float:
    return float(np.abs(errors).max())
