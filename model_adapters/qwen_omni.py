"""Qwen-Omni: time is a rotary position; the processor takes the frames' rate as an argument.

Only the part that answers in text is run, the thinker. It gets no audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import Times

from .qwen import QwenAdapter
from .qwen2_5_vl import Qwen25VLAdapter

THINKER = "thinker_config"
START, END = "<|vision_bos|>", "<|vision_eos|>"
VIDEO, IMAGE, AUDIO = "<|VIDEO|>", "<|IMAGE|>", "<|AUDIO|>"


class QwenOmniAdapter(Qwen25VLAdapter):
    """What both forms share. A checkpoint may be a whole Omni or its thinker alone."""

    rate_setting = "position_id_per_seconds"
    rate_part = ""
    default_rate = 25

    def __init__(self, checkpoint: Checkpoint) -> None:
        thinker = (checkpoint.config or {}).get(THINKER, checkpoint.config)
        super().__init__(replace(checkpoint, config=thinker))

    def video_settings(self, times: Times) -> Mapping[str, Any]:
        """Return the arguments with the rate of the grid: the metadata's is not read."""
        rate = self.metadata(times)["fps"]
        return {**self.video_arguments, "fps": rate, "use_audio_in_video": False}


class Qwen25OmniAdapter(QwenOmniAdapter):
    """Any checkpoint of Qwen2.5-Omni."""

    video = VIDEO
    image = f"{START}{IMAGE}{END}"
    special_tokens = ("<|im_start|>", "<|im_end|>", START, END, IMAGE, AUDIO)


class Qwen3OmniAdapter(QwenOmniAdapter):
    """Any checkpoint of Qwen3-Omni."""

    patch_size = 16
    special_tokens = (*QwenAdapter.special_tokens, "<|audio_pad|>")
