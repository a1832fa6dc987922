"""A model on an OpenAI-compatible server: frames as images with their times, or as one video."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from vtg_eval.adapter import Adapter, Checkpoint, TimeText
from vtg_eval.engines.base import Request
from vtg_eval.engines.server.chat import Chat
from vtg_eval.errors import UserError
from vtg_eval.model_input import time_text
from vtg_eval.model_input.rotary_time import UPWARD, mean_pair_seconds
from vtg_eval.model_input.smart_resize import PAIR, frame_size
from vtg_eval.model_input.time_encoding import TICKS, Times, to_ticks
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.question import listed_times, question, tells_times
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

FACTOR = 28  # px of a visual token's side; the server's model is unknown, many have this one


class OpenAIChatAdapter(Adapter):
    """Any model by its name on a server, which applies the chat template and the processor."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        sent = "images" if checkpoint.server is None else checkpoint.server.send
        self.media = sent
        usual: TimeText = "interleaved" if sent == "images" else "none"
        self.time_text: TimeText = checkpoint.options.time_text or usual
        if sent == "video" and self.time_text == "interleaved":
            raise UserError(
                "Frames of a video cannot have their times between them: --time-text header tells "
                "them before the question, --send images sends the frames one by one."
            )

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are sent.

        As local families do: an image takes the tokens of a pair of a video's frames.
        """
        count = frames * PAIR if self.media == "images" else frames
        return frame_size(height, width, count, rule, FACTOR)

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the conversation for one sample.

        Where our own text does not tell the times, the model times are unknown.
        """
        if frames is None:
            raise ValueError("this model needs frames")
        video = self.media == "video"
        chat = Chat(protocol.prompt.system, self._parts(sample, frames, protocol.prompt), video)
        return Request(
            sample_id=sample.id,
            prompt=str(chat),
            frames=frames,
            media=self.media,
            metadata=_metadata(frames.times, frames.info.duration) if video else {},
            processor_kwargs={"do_sample_frames": False} if video else {},
            model_times=self._model_times(sample, frames.times, protocol.prompt),
            chat=chat,
        )

    def _model_times(self, sample: Sample, times: Times, rule: PromptRule) -> tuple[float, ...]:
        """Return the times (seconds) that our text or the protocol's tells, () for none."""
        if self.time_text != "interleaved" and tells_times(sample.asks, rule):
            return listed_times(times.tolist(), rule)
        encoding = time_text.ENCODINGS.get(self.time_text)
        return () if encoding is None else encoding.stamped(times)

    def _parts(self, sample: Sample, frames: Frames, rule: PromptRule) -> tuple[str | int, ...]:
        """Return the user's message, in which the same text as a local model's is around frames."""
        seconds, duration = frames.times.tolist(), frames.info.duration
        text = question(sample, rule, seconds, duration=duration)
        first = rule.layout == "video-first"
        if self.time_text == "header" and not tells_times(sample.asks, rule):
            header = time_text.header(seconds, duration)
            text = f"{header}{text}" if first else f"{text}\n{header.rstrip()}"
        elif self.time_text == "interleaved":
            text = f"\n{text}" if first else f"{text}\n"
        shown = tuple(self._shown(seconds))
        return (*shown, text) if first else (text, *shown)

    def _shown(self, seconds: list[float]) -> Iterator[str | int]:
        for number, time in enumerate(seconds):
            if self.time_text == "interleaved":
                yield time_text.stamp(time)
            yield number


def _metadata(times: Times, duration: float) -> Mapping[str, Any]:
    """Return the metadata of frames at `times` (seconds), for any model that vLLM serves.

    Models that write time stamps divide an index by fps. Models that count on an even grid use the
    mean rate, number of frames / total_num_frames x fps: the spacing of pairs is the mean one.
    """
    spacing = (mean_pair_seconds(times) or 1.0) / PAIR
    return {
        "frames_indices": to_ticks(times).tolist(),
        "fps": float(TICKS),
        "total_num_frames": math.ceil(len(times) * spacing * TICKS * UPWARD),
        "duration": float(duration),
    }
