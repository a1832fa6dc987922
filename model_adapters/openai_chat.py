"""A model on an OpenAI-compatible server: frames as images with their times, or as one video."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.engines.chat import Chat
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import question
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

from .smart_resize import frame_size

FACTOR = 28  # px of a visual token's side; the server's model is unknown, most have this one
# Indices of frames count microseconds, so that index / fps is a frame's time at any frame rate.
TICKS = 1_000_000
# Keeps rounding in float32 from putting a whole position below itself, where a model cuts it off.
UPWARD = 1 + 1e-6


class OpenAIChatAdapter(Adapter):
    """Any model by its name on a server, which applies the chat template and the processor."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._video = checkpoint.server is not None and checkpoint.server.send == "video"

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are sent."""
        return frame_size(height, width, frames, rule, FACTOR)

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the conversation for one sample.

        Of a video the model times are unknown: the server's processor makes them.
        """
        if frames is None:
            raise ValueError("this model needs frames")
        stamps = tuple(f"{time:.1f}" for time in frames.times)
        times = tuple(map(float, stamps))
        text = question(sample, protocol.prompt, times)
        shown: tuple[str | int, ...] = tuple(range(len(stamps)))
        if not self._video:
            shown = tuple(part for n, stamp in enumerate(stamps) for part in (f"{stamp}s", n))
        parts = (*shown, text) if protocol.prompt.layout == "video-first" else (text, *shown)
        chat = Chat(protocol.prompt.system, parts, self._video)
        return Request(
            sample_id=sample.id,
            prompt=str(chat),
            frames=frames,
            metadata=_metadata(frames.times, frames.info.duration) if self._video else {},
            processor_kwargs={"do_sample_frames": False} if self._video else {},
            model_times=() if self._video else times,
            chat=chat,
        )


def _metadata(times: npt.NDArray[np.float64], duration: float) -> Mapping[str, Any]:
    """Return the metadata of frames at `times` (seconds), for any model that vLLM serves.

    Models that write time stamps divide an index by fps. Models that count on an even grid use the
    mean rate, number of frames / total_num_frames x fps.
    """
    ticks = [int(tick) for tick in np.rint(times * TICKS)]
    spacing = (ticks[-1] - ticks[0]) / max(1, len(ticks) - 1) or TICKS
    return {
        "frames_indices": ticks,
        "fps": float(TICKS),
        "total_num_frames": math.ceil(len(ticks) * spacing * UPWARD),
        "duration": float(duration),
    }
