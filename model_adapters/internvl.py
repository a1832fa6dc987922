"""InternVL 3 and 3.5: each frame has its number before it, `Frame1: `, and no time."""

from __future__ import annotations

from typing import ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter


class InternVLAdapter(FixedSizeAdapter):
    """Any checkpoint of the architecture InternVLForConditionalGeneration."""

    video = "<video>"
    image = "<IMG_CONTEXT>"
    special_tokens = ("<|im_start|>", "<|im_end|>", "<img>", "</img>")
    time_encoding = TimeEncoding(TimeRule.ORDINALS)
    image_arguments: ClassVar = {"crop_to_patches": False, "do_resize": False}

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        side = int(self.setting("image_size", 448))
        self.size = (side, side)
        self.tokens_per_frame = int(self.setting("image_seq_length", 256, part=""))
