"""Which frames of a video a model sees. Pure functions of the frames' presentation times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.frames import VideoInfo

# Files store times rounded to their own unit; a frame this close after a target counts as on time.
TOLERANCE = 1e-6
# Video models take frames in pairs.
PAIR = 2


@dataclass(frozen=True, slots=True)
class ShownVideo:
    """The parts of a file that are shown, one after the other, as one video that starts at 0.

    info: of the shown video: `times` of its N frames and `duration` in its own time (seconds).
    indices: int64 [N], of those frames in the file. starts, offsets, lengths: float64 [N],
    for each frame's clip: its start in the file, in the shown video, and how long it is (seconds).
    clips: the clips as they are shown, cut to the file; empty where all of it is shown.
    """

    info: VideoInfo
    indices: npt.NDArray[np.int64]
    starts: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.float64]
    clips: tuple[Span, ...] = ()

    def shown_times(
        self, rows: npt.NDArray[np.int64], times: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the shown times of the frames `rows` whose times in the file are `times`.

        A frame from before its clip has the time of the clip's start.
        """
        if not self.clips:
            return times
        within = np.clip(times - self.starts[rows], 0.0, self.lengths[rows])
        return within + self.offsets[rows]


def choose(info: VideoInfo, rule: FrameRule, clips: Sequence[Span] = ()) -> npt.NDArray[np.int64]:
    """Return indices into `info.times`, even in number; repeats on short videos.

    With `clips` the rule is applied to the video that they make up (see `show`). Ascending if
    the clips are. Raises VideoError where the policy is not defined for so short a video
    and where no clip lies in it.
    """
    shown = show(info, clips)
    return shown.indices[choose_rows(shown.info, rule)]


def show(info: VideoInfo, clips: Sequence[Span]) -> ShownVideo:
    """Return the video that `clips` (seconds, of the file) make up; all of the file for none.

    Clips are taken in their order, cut to the file; where they overlap, the frames are shown
    twice. Empty and reversed ones and those with NaN are left out. A clip has the frames that
    start in [start, end); where none does, the one on display at its start. (qwen-vl-utils, which
    shows one clip only, also takes a frame that starts exactly at the end.)
    Raises VideoError where no clip remains.
    """
    if not clips:
        empty = np.empty(0, dtype=np.float64)
        return ShownVideo(info, np.arange(len(info.times), dtype=np.int64), empty, empty, empty)
    kept = tuple(cut for clip in clips if (cut := _within(clip, info.duration)) is not None)
    if not kept:
        raise VideoError(f"none of the clips to show lies in the video's {info.duration:.3f} s")
    ranges = [_frames_of(info, clip) for clip in kept]
    counts = [len(part) for part in ranges]
    spans = np.array(kept, dtype=np.float64)
    lengths = spans[:, 1] - spans[:, 0]
    ends = np.cumsum(lengths)
    indices = np.concatenate(ranges)
    shown = ShownVideo(
        info=info,
        indices=indices,
        starts=np.repeat(spans[:, 0], counts),
        offsets=np.repeat(np.concatenate([[0.0], ends[:-1]]), counts),
        lengths=np.repeat(lengths, counts),
        clips=kept,
    )
    times = shown.shown_times(np.arange(len(indices)), info.times[indices])
    return replace(shown, info=replace(info, duration=float(ends[-1]), times=times))


def _within(clip: Span, duration: float) -> Span | None:
    """Return the part of the clip that lies in the file, None where that is empty."""
    if math.isnan(clip.start) or math.isnan(clip.end):
        return None
    start, end = max(clip.start, 0.0), min(clip.end, duration)
    return Span(start, end) if start < end else None


def _frames_of(info: VideoInfo, clip: Span) -> npt.NDArray[np.int64]:
    first, stop = np.searchsorted(info.times, np.array(clip) - TOLERANCE)
    if first == stop:
        first = max(int(first) - 1, 0)
        stop = first + 1
    return np.arange(first, stop, dtype=np.int64)


def choose_rows(info: VideoInfo, rule: FrameRule) -> npt.NDArray[np.int64]:
    """Return the indices of the frames that the rule takes of a (shown) video: ascending, even."""
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
    indices = np.searchsorted(info.times, targets + TOLERANCE, side="right") - 1
    return np.maximum(indices, 0).astype(np.int64)


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
