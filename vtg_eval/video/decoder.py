"""The decoder interface: a video file's metadata, and its frames at a size."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import VideoError
from vtg_eval.video.frames import VideoInfo

Pictures = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]
"""Frames, uint8 [T, H, W, 3], and their times in the file, float64 [T], seconds."""


class Video(ABC):
    """A file that a decoder opens when it is first asked; a context that closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def probe(self) -> VideoInfo:
        """As `Decoder.probe`."""

    @abstractmethod
    def read(
        self, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """As `Decoder.read`."""

    def close(self) -> None:  # noqa: B027 - most decoders keep nothing open
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Decoder(ABC):
    """Reads video files. `version` names everything that could change a pixel or a time."""

    name: str
    version: str

    @abstractmethod
    def probe(self, path: Path) -> VideoInfo:
        """Return the file's metadata; `times` are those of all frames that `read` can return.

        Raises VideoError with a one-line reason: missing, empty, not a video, no frames.
        """

    @abstractmethod
    def read(
        self, path: Path, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Return (uint8 [T, H, W, 3], float64 [T]): frames and their times in seconds.

        indices: ascending (repeats allowed), into the `times` of `probe`. size: (height, width)
        in px, of the picture as displayed. Instead of a damaged frame, the one that stays
        on display is returned with its time. Raises VideoError.
        """

    def open(self, path: Path) -> Video:
        """Return the file, to be probed and read with one opening where the decoder can do that."""
        return _Unopened(self, path)

    @property
    def identity(self) -> str:
        """Name and version in one string."""
        return f"{self.name} {self.version}"


class _Unopened(Video):
    """A file that its decoder opens anew for each question."""

    def __init__(self, decoder: Decoder, path: Path) -> None:
        super().__init__(path)
        self._decoder = decoder

    def probe(self) -> VideoInfo:
        return self._decoder.probe(self.path)

    def read(
        self, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        return self._decoder.read(self.path, indices, size)


ReadFrames = Callable[[Video, VideoInfo, Sequence[int], tuple[int, int]], Pictures]
"""Reads frames of an open file as `Video.read` does, here or elsewhere.

It also takes the file's info, in which times and duration may be those of the clips to show.
"""


def read_here(
    video: Video, info: VideoInfo, indices: Sequence[int], size: tuple[int, int]
) -> Pictures:
    """Return what the video's own decoder reads, in this process. Raises VideoError."""
    return video.read(indices, size)


def content_digest(path: Path) -> str:
    """Return the sha256 of a file's content, hexadecimal; raises VideoError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise VideoError(f"{path.name}: {(exc.strerror or 'cannot be read').lower()}") from exc


def require_content(path: Path) -> None:
    """Raise VideoError unless `path` is a file that is not empty."""
    if not path.is_file():
        raise VideoError(f"{path.name}: no such file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path.name}: the file is empty")
