"""Decoding with decord, with its frame times, to reproduce protocols that used it.

decord's time stamps are wrong on some files (HEVC, edit lists); `docs/design/video.md` has the
figures. Use PyAV for anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from vtg_eval.errors import UserError, VideoError
from vtg_eval.video.decoder import Decoder, content_digest, require_content
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.resize import Resizer

BATCH = 16


class DecordDecoder(Decoder):
    """decord's VideoReader at the file's size, resized by the rule of all decoders."""

    name = "decord"

    def __init__(self) -> None:
        try:
            import decord
        except ImportError as exc:
            raise UserError(
                'The decoder "decord" needs the extra decord (README, "Install").'
            ) from exc
        self._decord = decord
        self.version: str = decord.__version__

    def probe(self, path: Path) -> VideoInfo:
        """Return decord's frame times (the start of each frame), rate and size."""
        with self._reading(path) as reader:
            spans = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)
            height, width = reader[0].shape[:2]
            fps = float(reader.get_avg_fps())
        return VideoInfo(
            digest=content_digest(path),
            duration=float(spans[-1, 1]),
            fps=fps,
            height=int(height),
            width=int(width),
            times=np.ascontiguousarray(spans[:, 0]),
        )

    def read(
        self, path: Path, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Decode the requested frames in small batches."""
        rows = [int(index) for index in indices]
        array = np.empty((len(rows), *size, 3), dtype=np.uint8)
        resizer = Resizer(size)
        with self._reading(path) as reader:
            for start in range(0, len(rows), BATCH):
                pictures = reader.get_batch(rows[start : start + BATCH]).asnumpy()
                for row, picture in enumerate(pictures, start):
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    array[row] = resizer.picture(frame)
            times = np.asarray(reader.get_frame_timestamp(rows), dtype=np.float64)[:, 0]
        return array, times

    @contextmanager
    def _reading(self, path: Path) -> Iterator[Any]:
        require_content(path)
        try:
            reader = self._decord.VideoReader(str(path), ctx=self._decord.cpu(0), num_threads=0)
            if not len(reader):
                raise VideoError(f"{path.name}: the video stream has no frames")
            yield reader
        except (self._decord.DECORDError, RuntimeError, IndexError) as exc:
            lines = str(exc).strip().splitlines() or ["cannot be decoded"]
            raise VideoError(f"{path.name}: decord: {lines[-1][:200]}") from exc
