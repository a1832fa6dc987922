"""MiniCPM-V 4.6 and 4.7: the processor tells no times."""

from __future__ import annotations

import math
from typing import ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter
from vtg_eval.protocol import FrameRule

MERGED = 4  # patches in each direction that become one token


class MiniCPMVAdapter(FixedSizeAdapter):
    """Any checkpoint of the MiniCPM-V 4.6 and 4.7 architectures.

    The processor scales a frame to about `image_size` x `image_size` px, aspect ratio kept, and
    adds slices of it where it has more. Frames come at sizes that it leaves as they are, without
    slices.
    """

    video = "<|video_pad|>"
    image = "<|image_pad|>"
    special_tokens = ("<|im_start|>", "<|im_end|>", "<image>", "</image>", "<slice>", "</slice>")
    video_arguments: ClassVar = {"do_sample_frames": False, "stack_frames": 1}
    image_arguments: ClassVar = {}
    packed = ("pixel_values", "pixel_values_videos")
    time_encoding = TimeEncoding(TimeRule.NOTHING)

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.factor = int(self.setting("patch_size", 14)) * MERGED
        side = int(self.setting("image_size", 448, part=""))
        self.grids = _grids(side, self.factor)
        self.tokens_per_frame = max(rows * columns for rows, columns in self.grids)
        if self.config.get("downsample_mode") == "4x":
            self.tokens_per_frame *= 4

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the size of the nearest aspect ratio."""
        ratio = math.log(width / height)
        rows, columns = min(self.grids, key=lambda grid: abs(math.log(grid[1] / grid[0]) - ratio))
        return rows * self.factor, columns * self.factor


def _grids(side: int, factor: int) -> list[tuple[int, int]]:
    """Return the sizes, in multiples of `factor` px, that the processor leaves as they are."""
    most = (side // factor) ** 2
    grids = [
        (rows, columns) for rows in range(1, most + 1) for columns in range(1, most // rows + 1)
    ]
    return [grid for grid in grids if _scaled(grid, side, factor) == grid]


def _scaled(grid: tuple[int, int], side: int, factor: int) -> tuple[int, int]:
    """Return the grid to which the processor scales one; truncated and rounded as there."""
    ratio = grid[1] / grid[0]
    height = int(side / math.sqrt(ratio))
    rows, columns = round(height / factor), round(int(height * ratio) / factor)
    return max(rows, 1), max(columns, 1)
