"""The common part of the Qwen-VL families: sizes, prompt and processor arguments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.question import question
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

from .chat import ChatTemplate
from .smart_resize import frame_size
from .special_tokens import EscapedText, load_special_tokens

AGAIN = "Fetch the checkpoint again."
VIDEO, IMAGE = "<|video_pad|>", "<|image_pad|>"
SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", VIDEO, IMAGE)

# Frames arrive sampled and resized; neither engine's processor may do so again.
VIDEO_ARGUMENTS = {"do_sample_frames": False, "do_resize": False, "cap_pixels_per_frame": False}


class Timing(NamedTuple):
    """The metadata of the frames for the processor, and the model times that follow from it.

    metadata: `frames_indices`, `fps`, `total_num_frames`. model_times: seconds, one for each pair.
    """

    metadata: Mapping[str, Any]
    model_times: tuple[float, ...]


class QwenVLAdapter(Adapter):
    """A Qwen-VL checkpoint. Subclasses define how times reach the model."""

    patch_size: int

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.path is None:
            raise UserError(f"{checkpoint.reference} is not a checkpoint's folder.")
        vision = (checkpoint.config or {}).get("vision_config", {})
        if not isinstance(vision, Mapping):
            raise UserError(f"config.json: vision_config is {vision!r:.40}, no object. {AGAIN}")
        self._vision = vision
        patch = self.vision_setting("patch_size", self.patch_size)
        self.factor = int(patch * self.vision_setting("spatial_merge_size", 2))
        self._tokens = load_special_tokens(checkpoint.path, SPECIAL_TOKENS)
        self._chat = ChatTemplate(checkpoint.path)

    def vision_setting(self, name: str, default: float) -> float:
        """Return a number above 0 from config.json's vision_config; raises UserError otherwise."""
        value = self._vision.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UserError(
                f"config.json: vision_config.{name} is {value!r:.40}; it must be a number above 0. "
                f"{AGAIN}"
            )
        return value

    @abstractmethod
    def timing(self, times: npt.NDArray[np.float64]) -> Timing:
        """Return the metadata and model times of frames at `times` (seconds, [T])."""

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are shown."""
        return frame_size(height, width, frames, rule, self.factor)

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the model's input for one sample, with its model times."""
        if frames is None:
            raise ValueError("this model needs frames")
        timing = self.timing(frames.times)
        prompt = self._safe_prompt(sample, protocol.prompt, timing.model_times)
        return Request(
            sample_id=sample.id,
            prompt=prompt.text,
            frames=frames,
            metadata={
                **timing.metadata,
                "duration": float(frames.info.duration),
                "video_backend": "vtg-eval",
                "do_sample_frames": False,
            },
            processor_kwargs={"videos_kwargs": VIDEO_ARGUMENTS},
            model_times=timing.model_times,
            escaped=prompt.escaped,
        )

    def _safe_prompt(self, sample: Sample, rule: PromptRule, times: Sequence[float]) -> EscapedText:
        """Return the prompt, in which no text of the sample is, or is part of, a special token.

        Tokens within the sample's texts are escaped. Where a text and what the protocol or the
        template writes beside it make a token together, the text gets separators at both ends.
        """
        tokens, escaped = self._tokens, 0

        def prompt(clean: Callable[[str], str]) -> str:
            return self._prompt(question(sample, rule, times, clean), rule)

        def clean(text: str) -> str:
            nonlocal escaped
            result = tokens.escape(text)
            escaped += result.escaped
            return result.text

        def enclosed(text: str) -> str:
            return text and f"{tokens.separator}{tokens.escape(text).text}{tokens.separator}"

        text = prompt(clean)
        expected = tokens.count(prompt(lambda text: text and tokens.separator))
        if tokens.count(text) != expected:
            text, escaped = prompt(enclosed), escaped + 1
        if tokens.count(text) != expected:
            raise ValueError("the sample's text makes a special token with the prompt around it")
        return EscapedText(text, escaped)

    def _prompt(self, text: str, rule: PromptRule) -> str:
        prompt = self._chat.around(rule.system, rule.layout).prompt(text)
        if prompt.count(VIDEO) != 1 or IMAGE in prompt:
            raise UserError(
                f"The checkpoint's chat template does not give one {VIDEO} for a video; "
                "fetch the checkpoint again or check the protocol's prompt."
            )
        return prompt
