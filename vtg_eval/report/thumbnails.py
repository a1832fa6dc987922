"""Small pictures of videos at given times, as JPEG, within a budget of bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from vtg_eval.errors import DataError, VideoError
from vtg_eval.run.progress import Progress
from vtg_eval.task import Task
from vtg_eval.types import Sample, Span
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.resize import Resizer
from vtg_eval.video.sampling import show

SIDE = 160  # px, the longer side
QUALITY = 8  # of FFmpeg's scale for JPEG, 2 (best) to 31
KEY = re.compile(r"[0-9a-f]{64}")

Pictures = npt.NDArray[np.uint8]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Picture:
    """The frame on display at `time`, which starts at `shown` (both seconds).

    image: its index in `Album.images`.
    """

    time: float
    shown: float
    image: int


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures of samples, one tuple for each sample. images: JPEG files in base64.

    requested: the number of samples with at least one time. covered: how many of them were
    handled before the budget ran out. absent: how many of the covered ones have neither a video
    nor stored frames.
    """

    images: tuple[str, ...]
    pictures: tuple[tuple[Picture, ...], ...]
    requested: int = 0
    covered: int = 0
    absent: int = 0


def no_pictures(samples: Sequence[Sample]) -> Album:
    """Return the album without pictures."""
    return Album((), ((),) * len(samples))


def make_album(
    task: Task,
    root: Path,
    store: FrameStore,
    samples: Sequence[Sample],
    times: Sequence[Sequence[float]],
    stored: Sequence[Sequence[str]],
    budget: int,
) -> Album:
    """Return pictures of each sample at its `times` (seconds, finite), up to `budget` bytes.

    They come from the videos if these exist, else from the frames in the store under one of the
    sample's `stored` keys (then each is the last frame of the model's input by that time).
    Samples are handled in order, all samples of a video together.
    """
    images = _Images(budget)
    groups: dict[tuple[str, tuple[Span, ...]], list[int]] = {}
    for row, sample in enumerate(samples):
        if times[row]:
            groups.setdefault((sample.video, sample.clips), []).append(row)
    pictures: list[tuple[Picture, ...]] = [()] * len(samples)
    requested = sum(map(len, groups.values()))
    covered = absent = 0
    with Progress("pictures", requested) as progress:
        for (video, clips), rows in groups.items():
            distinct = np.unique([time for row in rows for time in times[row]])
            keys = dict.fromkeys(key for row in rows for key in stored[row])
            source = _from_video(task, root, store, video, clips, distinct)
            source = source or _from_store(store, tuple(keys), distinct)
            if source is None:
                absent += len(rows)
            elif (numbers := images.put(source[0])) is None:
                break
            else:
                shown = {
                    float(time): Picture(float(time), float(at), number)
                    for time, at, number in zip(distinct, source[1], numbers, strict=True)
                }
                for row in rows:
                    pictures[row] = tuple(shown[time] for time in dict.fromkeys(times[row]))
            covered += len(rows)
            for _ in rows:
                progress.advance()
    return Album(tuple(images.files), tuple(pictures), requested, covered, absent)


def jpeg(picture: Pictures) -> bytes:
    """Return a picture, uint8 [H, W, 3] RGB, as a JPEG file."""
    codec = av.CodecContext.create("mjpeg", "w")
    codec.height, codec.width = picture.shape[:2]
    codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 1)
    codec.options = {"qmin": str(QUALITY), "qmax": str(QUALITY)}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    packets = [*codec.encode(frame.reformat(format="yuvj420p")), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


class _Images:
    """Distinct pictures in base64, within a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self.files: list[str] = []
        self._free = budget
        self._numbers: dict[str, int] = {}

    def put(self, pictures: Pictures) -> list[int] | None:
        """Add the pictures and return their numbers; None, adding nothing, if they do not fit."""
        files = [base64.b64encode(jpeg(picture)).decode("ascii") for picture in pictures]
        new = [file for file in dict.fromkeys(files) if file not in self._numbers]
        if sum(map(len, new)) > self._free:
            return None
        for file in new:
            self._free -= len(file)
            self._numbers[file] = len(self.files)
            self.files.append(file)
        return [self._numbers[file] for file in files]


def _from_video(
    task: Task, root: Path, store: FrameStore, video: str, clips: Sequence[Span], times: Times
) -> tuple[Pictures, Times] | None:
    """Return the frames on display at `times` and their start times; None without the video."""
    try:
        path = task.video_path(root, video)
        if not path.is_file():
            return None
        with store.decoder.open(path) as file:
            shown = show(store.info(file), clips)
            rows = _on_display(shown.info.times, times)
            indices, back = np.unique(shown.indices[rows], return_inverse=True)
            size = _thumbnail(shown.info.height, shown.info.width)
            array, _ = file.read(indices.tolist(), size)
    except (DataError, VideoError):  # an id outside the data folder, a damaged file
        return None
    return array[back], shown.info.times[rows]


def _from_store(
    store: FrameStore, keys: Sequence[str], times: Times
) -> tuple[Pictures, Times] | None:
    """Return frames of a model's input from the store; None if there are none."""
    for key in keys:
        entry = store.stored(key) if KEY.fullmatch(key) else None
        if entry is not None and len(entry[1]):
            array, shown = entry
            rows = _on_display(shown, times)
            resizer = Resizer(_thumbnail(*array.shape[1:3]))
            frames = [av.VideoFrame.from_ndarray(array[row], format="rgb24") for row in rows]
            return np.stack([resizer.picture(frame) for frame in frames]), shown[rows]
    return None


def _on_display(frames: Times, times: Times) -> npt.NDArray[np.int64]:
    """Return for each time the last frame that starts by then, else the first frame."""
    after: npt.NDArray[np.int64] = np.searchsorted(frames, times + 1e-6, side="right")
    return np.maximum(after - 1, 0)


def _thumbnail(height: int, width: int) -> tuple[int, int]:
    """Return (height, width), even, the longer at most SIDE, never enlarged."""
    shrink = min(1.0, SIDE / max(height, width))
    return max(2, round(height * shrink / 2) * 2), max(2, round(width * shrink / 2) * 2)
