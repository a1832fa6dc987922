"""Qwen's rule for the size at which a video's frames are shown."""

from __future__ import annotations

import math

from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule

MOST_OBLONG = 200
PAIR = 2
# The upper bound on a frame is at least the lower bound times this factor.
SLACK = 1.05


def frame_size(
    height: int, width: int, frames: int, rule: FrameRule, factor: int
) -> tuple[int, int]:
    """Return (height, width) in px, multiples of `factor`, for `frames` frames of a video.

    As qwen-vl-utils 0.0.14 sizes videos: each frame may use an equal share of the whole
    video's budget, within the bounds on one frame; the aspect ratio is kept as far as the
    multiples allow. Raises VideoError for a picture that is too oblong.
    """
    area = factor * factor
    least = rule.min_tokens * area
    share = rule.total_tokens * area / frames * PAIR
    most = max(min(rule.max_tokens * area, share), int(least * SLACK))
    return _smart_resize(height, width, factor, least, most)


def _smart_resize(
    height: int, width: int, factor: int, least: float, most: float
) -> tuple[int, int]:
    if max(height, width) > MOST_OBLONG * min(height, width):
        raise VideoError(f"{width} x {height} px is too oblong for the model")
    rows = max(factor, round(height / factor) * factor)
    columns = max(factor, round(width / factor) * factor)
    if rows * columns > most:
        shrink = math.sqrt(height * width / most)
        rows = max(factor, math.floor(height / shrink / factor) * factor)
        columns = max(factor, math.floor(width / shrink / factor) * factor)
    elif rows * columns < least:
        grow = math.sqrt(least / (height * width))
        rows = math.ceil(height * grow / factor) * factor
        columns = math.ceil(width * grow / factor) * factor
    return rows, columns
