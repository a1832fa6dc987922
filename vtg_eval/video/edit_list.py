"""Edit lists: parts of files, shown one after the other as one video that starts at 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import TOLERANCE


@dataclass(frozen=True, slots=True)
class Part:
    """A video from `start` to `end` (seconds of its file), played at `speed`, perhaps backwards.

    Where the file ends before `end`, its last picture stays on display.
    """

    video: str
    start: float
    end: float
    speed: float = 1.0
    backwards: bool = False

    @property
    def length(self) -> float:
        """How long it is shown, seconds."""
        return (self.end - self.start) / self.speed

    def between(self, start: float, end: float) -> Part:
        """Return what is shown from `start` to `end` (seconds from the part's begin)."""
        if self.backwards:
            return replace(
                self, start=self.end - end * self.speed, end=self.end - start * self.speed
            )
        return replace(
            self, start=self.start + start * self.speed, end=self.start + end * self.speed
        )


EditList = tuple[Part, ...]


def length(parts: Iterable[Part]) -> float:
    """Return how long the parts are shown together, seconds."""
    return sum(part.length for part in parts)


def cut(parts: EditList, start: float, end: float) -> EditList:
    """Return what is shown from `start` to `end`, seconds of the shown video."""
    kept: list[Part] = []
    offset = 0.0
    for part in parts:
        first, last = max(start - offset, 0.0), min(end - offset, part.length)
        if (first, last) == (0.0, part.length):
            kept.append(part)
        elif first < last:
            kept.append(part.between(first, last))
        offset += part.length
    return tuple(kept)


def at_speed(parts: EditList, factor: float) -> EditList:
    """Return the parts played faster by a factor."""
    return tuple(replace(part, speed=part.speed * factor) for part in parts)


def backwards(parts: EditList) -> EditList:
    """Return the parts played from their end to their begin."""
    return tuple(replace(part, backwards=not part.backwards) for part in reversed(parts))


@dataclass(frozen=True, slots=True)
class EditedVideo:
    """The video that an edit list makes, frame by frame.

    info: of the shown video: `times` of its N frames and `duration` in its own time (seconds),
    the size of one of its files. parts, indices: int64 [N], the number of each frame's part,
    and of the frame in the part's file.
    """

    info: VideoInfo
    parts: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]


def edited(parts: Sequence[Part], infos: Mapping[str, VideoInfo], size_of: str) -> EditedVideo:
    """Return the shown video.

    infos: of the parts' files, by video. size_of: the video whose size the shown video has.

    A part has the frames that are on display in it. A frame's time is that at which it comes on
    display: played backwards, it is the time at which the next one starts.
    """
    times, numbers, indices = [], [], []
    offset = 0.0
    for number, part in enumerate(parts):
        frames, within = _on_display(part, infos[part.video].times)
        times.append(offset + within / part.speed)
        numbers.append(np.full(len(frames), number, dtype=np.int64))
        indices.append(frames)
        offset += part.length
    shown = np.concatenate(times)
    info = replace(
        infos[size_of], duration=offset, fps=len(shown) / offset, times=shown, length_stated=True
    )
    return EditedVideo(info, np.concatenate(numbers), np.concatenate(indices))


def _on_display(
    part: Part, times: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the part's frames in the order of display, and when each starts.

    times: of the file's frames. The result's times are seconds of the file, from the part's begin.
    """
    first = max(int(np.searchsorted(times, part.start + TOLERANCE, side="right")) - 1, 0)
    stop = max(int(np.searchsorted(times, part.end - TOLERANCE)), first + 1)
    frames = np.arange(first, stop, dtype=np.int64)
    starts = np.clip(times[frames], part.start, part.end)
    if not part.backwards:
        return frames, starts - part.start
    ends = np.append(starts[1:], part.end)
    return frames[::-1], (part.end - ends)[::-1]
