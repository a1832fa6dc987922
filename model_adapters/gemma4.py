"""Gemma 4: the time of each frame is text before it, in whole seconds: `01:23`."""

from __future__ import annotations

import math
from typing import ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter
from vtg_eval.protocol import FrameRule

# The most tokens of a video's frame. vLLM has no other number; images would have up to 280.
TOKENS = 70


class Gemma4Adapter(FixedSizeAdapter):
    """Any checkpoint of the Gemma4 and Gemma4Unified architectures for conditional generation."""

    video = "<|video|>"
    image = "<|image|>"
    special_tokens = ("<|image>", "<image|>", "<|turn>", "<turn|>")
    video_arguments: ClassVar = {"do_sample_frames": False}
    shared_arguments: ClassVar = {"max_soft_tokens": TOKENS}
    image_arguments: ClassVar = {"max_soft_tokens": TOKENS}
    tokens_per_frame = TOKENS
    time_encoding = TimeEncoding(
        TimeRule.STAMPS,
        resolution=1.0,
        rounding="down",
        stamp=r"(?P<minutes>\d{2,}):(?P<seconds>\d{2}) <\|image>",
    )

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.factor = int(self.setting("patch_size", 16) * self.setting("pooling_kernel_size", 3))

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the largest size within the tokens of a frame that keeps the aspect ratio.

        The rule is the processors'. It is applied until they would leave the frame as it is.
        """
        size, grid = (height, width), _grid(height, width)
        while size != grid:
            size, grid = grid, _grid(*grid)
        return grid[0] * self.factor, grid[1] * self.factor


def _grid(height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of tokens that a picture of this shape has."""
    scale = math.sqrt(TOKENS / (height * width))
    rows, columns = math.floor(height * scale), math.floor(width * scale)
    return min(max(rows, 1), TOKENS), min(max(columns, 1), TOKENS)
