"""Proof that a model is told true times: clock videos through decoder, adapter and processor.

No weights are read. The model's own processor is called as the engines call it, and what it says
about time is read back from its output: the stamps in the prompt, or the seconds per grid step.
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
# rounding of the comparison itself, far below any resolution
SLACK = 1e-4

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """What a processor's output says: seconds, one for each pair of frames.

    resolution: by how much the encoding itself may be off. pair_start: whether a time stands
    for a pair's first frame (a grid) and not for its middle (a stamp).
    """

    times: Times
    resolution: float
    pair_start: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One clock video's result. Errors are the largest ones, in seconds.

    decoded: pictures against the times that came with them. told: what the model is told
    against the pictures' true times. recorded: the adapter's `model_times` against it.
    """

    clock: str
    frames: int
    decoded: float
    told: float
    recorded: float
    resolution: float

    @property
    def true(self) -> bool:
        """Whether all three are within what they may be."""
        within = self.told <= self.resolution + SLACK
        return within and self.decoded <= SLACK * 10 and self.recorded <= SLACK


def examine(
    checkpoint: Checkpoint, adapter: Adapter, decoder: Decoder, protocol: ResolvedProtocol
) -> tuple[Finding, ...]:
    """Return a finding for each clock video.

    Raises UserError where the checkpoint has no processor or encodes time in an unknown way.
    """
    if checkpoint.path is None or not adapter.needs_frames:
        raise UserError(f"{checkpoint.reference} is told no times, so there is nothing to prove.")
    build = _builder(checkpoint.path)
    config = checkpoint.config or {}
    with tempfile.TemporaryDirectory(prefix="vtg-eval-doctor-") as name:
        folder = Path(name)
        requests = RequestBuilder(adapter, decoder, folder / "frames")
        context = SampleContext(protocol, no_subtitles)
        found = []
        for clock in clocks():
            frames = requests.frames(write(clock, folder), (), protocol.frames)
            request = requests.request(_sample(clock), frames, context)
            text, tensors = build(request)
            found.append(_compare(clock, frames, request, _read(text, tensors, config)))
    return tuple(found)


def _compare(clock: Clock, frames: Frames, request: Request, told: Told) -> Finding:
    true = np.array([clock.times[number_in(picture)] for picture in frames.array])
    paired = true.reshape(-1, PAIR)
    wanted = paired[:, 0] if told.pair_start else paired.mean(axis=1)
    if len(told.times) != len(wanted):
        raise UserError(
            f"The processor tells {len(told.times)} times for {len(wanted)} pairs of frames."
        )
    return Finding(
        clock=clock.name,
        frames=len(true),
        decoded=_largest(frames.times - true),
        told=_largest(told.times - wanted),
        recorded=_largest(told.times - np.array(request.model_times)),
        resolution=told.resolution,
    )


def _read(text: str, tensors: Mapping[str, Any], config: Mapping[str, Any]) -> Told:
    """Read the times out of a processor's output."""
    grid, step = tensors.get("video_grid_thw"), tensors.get("second_per_grid_ts")
    if grid is not None and step is not None:
        unit = 1 / float((config.get("vision_config") or {}).get("tokens_per_second", 2))
        places = np.floor(np.arange(int(grid[0, 0])) * float(step[0]) / unit)
        return Told(places * unit, unit, pair_start=True)
    stamps = np.array([float(stamp) for stamp in STAMP.findall(text)])
    if len(stamps):
        return Told(stamps, STAMP_RESOLUTION, pair_start=False)
    raise UserError("The checkpoint's processor says nothing about time that could be read back.")


def _builder(path: Path) -> Any:
    """Return a function from requests to (text, tensors) as the model gets them."""
    try:
        from transformers import AutoProcessor, logging

        from vtg_eval.engines.model_inputs import InputBuilder
    except ImportError as exc:
        raise UserError(f'`doctor time` needs the extra hf (README, "Install"): {exc}') from exc
    logging.set_verbosity_error()
    try:
        processor = AutoProcessor.from_pretrained(path)
    except Exception as exc:  # whatever broken files make the loaders raise
        raise UserError(f"{path}: its processor cannot be loaded: {exc}") from exc
    builder = InputBuilder(processor)

    def build(request: Request) -> tuple[str, Mapping[str, Any]]:
        made = builder.build(request)
        return processor.tokenizer.decode(made.ids), made.tensors

    return build


def _sample(clock: Clock) -> Sample:
    return Sample(clock.name, clock.name, "the clock shows its number", Target())


def _largest(errors: Times | Sequence[float]) -> float:
    return float(np.abs(errors).max())
