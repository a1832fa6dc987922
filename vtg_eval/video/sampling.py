"""Which frames of a video a model sees. Pure functions of the frames' presentation times."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.video.frames import VideoInfo

# Files store times rounded to their own unit; a frame this close after a target counts as on time.
TOLERANCE = 1e-6
# Video models take frames in pairs.
PAIR = 2


def choose(info: VideoInfo, rule: FrameRule) -> npt.NDArray[np.int64]:
    """Return indices into `info.times`, ascending, even in number; repeats on short videos.

    Raises VideoError where the policy is not defined for so short a video.
    """
    match rule.policy:
        case "fps":
            return _on_display(info, _fps_targets(info.duration, rule))
        case "uniform":
            count = _pairs(rule.max_frames)
            return _on_display(info, (np.arange(count) + 0.5) * info.duration / count)
        case "fps-index":
            return _spread(len(info.times), _smart_count(len(info.times), info.fps, rule))


def _fps_targets(duration: float, rule: FrameRule) -> npt.NDArray[np.float64]:
    """Return k / fps for k = 0, 1, … up to the end, or as many as the caps allow, evenly."""
    count = math.ceil(duration * rule.fps - TOLERANCE)
    count += count % PAIR
    most = _pairs(rule.max_frames)
    least = min(_pairs(rule.min_frames + 1), most)
    if least <= count <= most:
        return np.arange(count, dtype=np.float64) / rule.fps
    count = min(max(count, least), most)
    return np.arange(count, dtype=np.float64) * (duration / count)


def _on_display(info: VideoInfo, targets: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return for each target (seconds) the last frame that starts no later."""
    found = np.searchsorted(info.times, targets + TOLERANCE, side="right") - 1
    return np.maximum(found, 0).astype(np.int64)


def _pairs(count: int) -> int:
    """Return the even number not above `count`, at least one pair."""
    return max(count // PAIR * PAIR, PAIR)


def _smart_count(total: int, video_fps: float, rule: FrameRule) -> int:
    """Return the number of frames by qwen-vl-utils 0.0.14, `smart_nframes`."""
    least = math.ceil(rule.min_frames / PAIR) * PAIR
    most = rule.max_frames // PAIR * PAIR
    count = min(min(max(total / video_fps * rule.fps, least), most), total)
    count = math.floor(count / PAIR) * PAIR
    if not PAIR <= count <= total:
        raise VideoError(f"{total} frame(s) are too few for the policy fps-index")
    return int(count)


def _spread(total: int, count: int) -> npt.NDArray[np.int64]:
    """Return `torch.linspace(0, total - 1, count).round()` as PyTorch gives it on a CPU.

    It works in 32-bit floats from both ends to the middle, one rounding each, which decides
    ties in long videos.
    """
    step = float(np.float32(total - 1) / np.float32(count - 1))
    rank = np.arange(count)
    exact = np.where(rank < count // 2, step * rank, total - 1 - step * (count - 1 - rank))
    return exact.astype(np.float32).round().astype(np.int64)
