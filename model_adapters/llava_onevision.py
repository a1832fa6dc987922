"""LLaVA-OneVision: frames of one size, and nothing that tells their times."""

from __future__ import annotations

import math

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter

POOLED = 2  # patches of a video's frame that become one token, in each direction


class LlavaOnevisionAdapter(FixedSizeAdapter):
    """Any checkpoint of the architecture LlavaOnevisionForConditionalGeneration.

    It reads images, too. But of several images transformers shows each once, vLLM each a second
    time in tiles, so frames are not given as images.
    """

    video = "<video>"
    special_tokens = ("<|im_start|>", "<|im_end|>", "<image>")
    time_encoding = TimeEncoding(TimeRule.NOTHING)

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        side = int(self.setting("image_size", 384))
        self.size = (side, side)
        patches = side // int(self.setting("patch_size", 14))
        self.tokens_per_frame = math.ceil(patches / POOLED) ** 2
