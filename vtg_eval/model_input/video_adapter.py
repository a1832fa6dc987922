"""The base of adapters: a video or its frames in a chat template, and a rule of telling times.

A family's module says what its processor does: class attributes where that is data, a method where
it is a computation. docs/writing-an-adapter.md has an example.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Adapter, Checkpoint, TimeText
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.model_input import time_text
from vtg_eval.model_input.chat_template import ChatTemplate, Surroundings
from vtg_eval.model_input.safe_prompt import Place, safe_text
from vtg_eval.model_input.smart_resize import PAIR, frame_size
from vtg_eval.model_input.special_tokens import load_special_tokens
from vtg_eval.model_input.time_encoding import TICKS, TimeEncoding, TimeRule, Times, to_ticks
from vtg_eval.parsing.final_answer import open_thought
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.question import listed_times, question, tells_times
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

AGAIN = "Fetch the checkpoint again."
WHOLE_SECOND = 1.0


class VideoAdapter(Adapter):
    """A checkpoint whose chat template and processor take a video.

    time_encoding: how the processor tells times. video: the text that stands for a video in the
    prompt, as the engines' processors expect it. template_video: what the chat template writes for
    one, where that differs. image: the text that stands for one image, "" for families that read
    no images. special_tokens: besides those that the checkpoint's files list. video_arguments,
    image_arguments: for the processor; frames are sampled before, so it must not sample again.
    shared_arguments: for a video, outside "videos_kwargs", because vLLM reads images' as well.
    packed: names of tensors, as in Request.
    default_time_text: how the times are told as text unless the user says otherwise.
    """

    time_encoding: TimeEncoding
    video: ClassVar[str]
    template_video: ClassVar[str] = ""
    image: ClassVar[str] = ""
    special_tokens: ClassVar[tuple[str, ...]] = ()
    video_arguments: ClassVar[Mapping[str, Any]] = {"do_sample_frames": False, "do_resize": False}
    image_arguments: ClassVar[Mapping[str, Any]] = {"do_resize": False}
    shared_arguments: ClassVar[Mapping[str, Any]] = {}
    packed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Read the checkpoint's small files; raises UserError for what they lack."""
        if checkpoint.path is None:
            raise UserError(f"{checkpoint.reference} is not a checkpoint's folder.")
        options = checkpoint.options
        self.config = checkpoint.config or {}
        self.time_text: TimeText = (
            self.default_time_text if options.time_text is None else options.time_text
        )
        if self.time_text == "interleaved" and not self.image:
            raise UserError(
                f"{checkpoint.reference}: its frames cannot be given as images, so they cannot be "
                "interleaved with their times. Use --time-text header."
            )
        resolution = self.time_encoding.resolution if self.time_text == "none" else 0.0
        self.time_quantum = resolution if resolution >= WHOLE_SECOND else 0.0
        self.media = "images" if self.time_text == "interleaved" else "video"
        tokens = (*self.special_tokens, *filter(None, (self.video, self.image)))
        self._tokens = load_special_tokens(checkpoint.path, tokens)
        self._chat = ChatTemplate(checkpoint.path, options.thinking)
        self.thinking = options.thinking

    @property
    def thinks_by_default(self) -> bool:
        """Whether the chat template makes the model think where nobody chose."""
        return self._chat.thinks_by_default

    @property
    def default_time_text(self) -> TimeText:
        """The way of telling times as text: none where the processor tells them."""
        by_processor = self.time_encoding.rule in (TimeRule.ROTARY, TimeRule.STAMPS)
        return "none" if by_processor else "header"

    def setting(self, name: str, default: float, part: str = "vision_config") -> float:
        """Return a number above 0 from a part of config.json ("" for its top, "a.b" for b in a).

        A list of equal numbers, as of a square's sides, counts as one. Raises UserError for
        anything else.
        """
        table: Any = self.config
        for key in filter(None, part.split(".")):
            table = table.get(key, {})
            if not isinstance(table, Mapping):
                raise UserError(f"config.json: {part} is {table!r:.40}, no object. {AGAIN}")
        value = table.get(name, default)
        if isinstance(value, list) and value and value.count(value[0]) == len(value):
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            place = f"{part}.{name}" if part else name
            raise UserError(
                f"config.json: {place} is {value!r:.40}; it must be a number above 0. {AGAIN}"
            )
        return value

    @abstractmethod
    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are shown."""

    def surroundings(self, chat: ChatTemplate, rule: PromptRule) -> Surroundings:
        """Return what the chat template writes around the question, with the video."""
        return chat.around(rule.system, rule.layout)

    def metadata(self, times: Times) -> Mapping[str, Any]:
        """Return what the processor is told of frames at `times` (seconds)."""
        ticks = self.ticks(times).tolist()
        return {"frames_indices": ticks, "fps": float(TICKS), "total_num_frames": ticks[-1] + 1}

    def ticks(self, times: Times) -> npt.NDArray[np.int64]:
        """Return the indices by which the processor is told of frames at `times` (seconds)."""
        return to_ticks(times)

    def video_settings(self, times: Times) -> Mapping[str, Any]:
        """Return the processor's arguments for frames at `times` (seconds)."""
        return self.video_arguments

    def processor_times(self, times: Times) -> tuple[float, ...]:
        """Return the times (seconds) that the processor tells of frames at `times`."""
        if self.time_encoding.rule is TimeRule.STAMPS:
            return self.time_encoding.stamped(self.ticks(times) / TICKS)
        return ()

    def model_times(self, times: Times) -> tuple[float, ...]:
        """Return all times (seconds) that reach the model: our own text's, else the processor's."""
        text = time_text.ENCODINGS.get(self.time_text)
        return self.processor_times(times) if text is None else text.stamped(times)

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the model's input for one sample, with its model times."""
        if frames is None:
            raise ValueError("this model needs frames")
        times = self._request_times(sample, frames.times, protocol.prompt)
        place, write = self._prompt(sample, frames, protocol.prompt)
        text = safe_text(write, place, self._tokens)
        request = Request(
            sample_id=sample.id,
            prompt=f"{place.before}{text.text}{place.after}",
            frames=frames,
            media=self.media,
            packed=self.packed,
            model_times=times,
            answer_start=open_thought(place.after),
            escaped=text.escaped,
        )
        if self.media == "images":
            # not under "images_kwargs": vLLM counts the tokens of some families by these alone
            return replace(request, processor_kwargs=dict(self.image_arguments))
        return replace(
            request,
            metadata={
                **self.metadata(frames.times),
                "duration": float(frames.info.duration),
                "video_backend": "vtg-eval",
                "do_sample_frames": False,
            },
            processor_kwargs={
                **self.shared_arguments,
                "videos_kwargs": dict(self.video_settings(frames.times)),
            },
        )

    def _request_times(self, sample: Sample, times: Times, rule: PromptRule) -> tuple[float, ...]:
        """Return the model times (seconds) of a request.

        Times that the protocol's prompt lists replace the header; a model that is told times
        otherwise gets the protocol's as well.
        """
        if self.time_text == "interleaved" or not tells_times(sample.asks, rule):
            return self.model_times(times)
        return self.processor_times(times) or listed_times(times.tolist(), rule)

    def _prompt(
        self, sample: Sample, frames: Frames, rule: PromptRule
    ) -> tuple[Place, Callable[[Callable[[str], str]], str]]:
        """Return what stands around the question, and the function that writes the question."""
        first = rule.layout == "video-first"
        seconds = frames.times.tolist()
        if self.media == "images":
            around = self._chat.around(rule.system, "text-only")
            shown = time_text.interleaved(seconds, self.image)
        else:
            around = self.surroundings(self._chat, rule)
            header = self.time_text == "header" and not tells_times(sample.asks, rule)
            shown = time_text.header(seconds, frames.info.duration) if header else ""
        before, after = self._with_video(around.before), self._with_video(around.after)
        if self.media == "video" and (before + after).count(self.video) != 1:
            raise UserError(
                f"The checkpoint's chat template does not give one {self.video} for a video; "
                "fetch the checkpoint again or check the protocol's prompt."
            )

        def write(clean: Callable[[str], str]) -> str:
            times = self.processor_times(frames.times) or seconds
            text = question(sample, rule, times, clean, frames.info.duration)
            if not around.strips:
                return text
            return text.strip() if not shown else text.rstrip() if first else text.lstrip()

        if first:
            return Place(before + shown, after), write
        return Place(before, ("\n" + shown.rstrip() if shown else "") + after), write

    def _with_video(self, text: str) -> str:
        if not self.template_video:
            return text
        return text.replace(self.template_video, self.video)


class SmartResizeAdapter(VideoAdapter):
    """A family whose frames may have any size that is a multiple of `factor` px, as Qwen-VL's.

    patch_size: the default where config.json has none. shared_frames: number of a video's frames
    that share their tokens.
    """

    patch_size: ClassVar[int]
    shared_frames: ClassVar[int] = PAIR

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        patch = self.setting("patch_size", self.patch_size)
        self.factor = int(patch * self.setting("spatial_merge_size", 2))

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return a size within the protocol's budgets; an image takes the tokens of a pair."""
        return frame_size(height, width, frames * PAIR // self._shared, rule, self.factor)

    def most_tokens(self, frames: int, rule: FrameRule) -> int:
        """Return the bound on one frame for all that do not share it, within that on the video."""
        return min(frames // self._shared * rule.max_tokens, rule.total_tokens)

    @property
    def _shared(self) -> int:
        return 1 if self.media == "images" else self.shared_frames


class FixedSizeAdapter(VideoAdapter):
    """A family that shows each frame at one size, with a fixed number of tokens.

    size: (height, width) in px; tokens_per_frame: visual tokens of one frame.
    """

    size: tuple[int, int]
    tokens_per_frame: int

    def frame_rule(self, rule: FrameRule) -> FrameRule:
        """Return the rule with as many frames as the protocol's budget of tokens has room for."""
        most = max(PAIR, rule.total_tokens // self.tokens_per_frame // PAIR * PAIR)
        if most >= rule.max_frames:
            return rule
        return replace(rule, max_frames=most, min_frames=min(rule.min_frames, most))

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the family's one size."""
        return self.size

    def most_tokens(self, frames: int, rule: FrameRule) -> int:
        """Return the tokens of all frames."""
        return frames * self.tokens_per_frame
