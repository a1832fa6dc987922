"""Exact decoding with PyAV (FFmpeg): every frame is identified by its presentation time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import av
import numpy as np
import numpy.typing as npt

from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.video.completeness import require_whole
from vtg_eval.video.container import ffmpeg_errors, open_film
from vtg_eval.video.decoder import Decoder, Video, content_digest, require_content
from vtg_eval.video.frame_reader import FirstPicture, FrameReader, RequestedFrames
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.packets import Packets, read_packets
from vtg_eval.video.resize import display_pose
from vtg_eval.video.structure import Structure, read_structure

LONGEST_VIDEO = 1e6  # seconds (11 days); time stamps beyond are damage


@final
class PyavDecoder(Decoder):
    """FFmpeg through PyAV: decodes what the requested frames need, from key frames on."""

    name = "pyav"
    version = "{} (libavcodec {}, libswscale {})".format(
        av.__version__,
        *(".".join(map(str, av.library_versions[lib])) for lib in ("libavcodec", "libswscale")),
    )

    def open(self, path: Path) -> PyavVideo:
        """Return the file; its packets are read once for both `probe` and `read`."""
        return PyavVideo(path)

    def probe(self, path: Path) -> VideoInfo:
        """Read all packets' times and decode the first picture.

        Raises VideoError; CutShortError where the file states that it goes on.
        """
        with self.open(path) as video:
            return video.probe()

    def read(
        self, path: Path, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Decode the requested frames in one pass."""
        with self.open(path) as video:
            return video.read(indices, size)


class PyavVideo(Video):
    """A file and its film, opened when it is first asked.

    opened, decoded: how often it was opened, and how many packets its decoder was given.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._container: Any = None
        self._stream: Any = None
        self._packets: Packets | None = None
        self._picture: av.VideoFrame | None = None
        self.opened = 0
        self.decoded = 0

    def probe(self) -> VideoInfo:
        """As `Decoder.probe`."""
        require_content(self.path)
        digest = content_digest(self.path)
        structure = read_structure(self.path)
        try:
            with ffmpeg_errors(self.path):
                return self._probe(digest, structure)
        except CutShortError:
            raise
        except VideoError as exc:
            if structure.cut is None:
                raise
            reason = f"the file is cut, and nothing can be read; {structure.cut}"
            raise CutShortError(f"{self.path.name}: {reason}") from exc

    def read(
        self, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """As `Decoder.read`."""
        with ffmpeg_errors(self.path):
            packets = self._scan()
            if not len(packets.pts):
                raise VideoError(f"{self.path.name}: the video stream has no frames")
            requested = RequestedFrames(packets, np.asarray(indices, dtype=np.int64), size)
            self._fill(packets, requested)
        return requested.finish(self.path.name)

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = None

    def _probe(self, digest: str, structure: Structure) -> VideoInfo:
        packets = self._scan()
        rate = self._stream.average_rate
        require_whole(self.path, structure, self._container, self._stream, packets)
        if not len(packets.pts):
            raise VideoError(f"{self.path.name}: the video stream has no frames")
        if not packets.duration < LONGEST_VIDEO:
            raise VideoError(f"{self.path.name}: its time stamps are damaged")
        frame = self._picture
        if frame is None:
            raise VideoError(f"{self.path.name}: no picture can be decoded")
        pose = display_pose(frame)
        height, width = frame.height, frame.width
        if pose.transposed:
            height, width = width, height
        return VideoInfo(
            digest=digest,
            duration=packets.duration,
            fps=float(rate) if rate else len(packets.pts) / packets.duration,
            height=height,
            width=width,
            times=packets.times,
            mirrored=pose.mirrored,
            length_stated=structure.whole or structure.seconds is not None,
        )

    def _fill(self, packets: Packets, requested: RequestedFrames) -> None:
        """Decode the frames; without seeking where a seek does not lead to them.

        A decoder may withhold frames after a seek (gradual refresh).
        """
        if packets.seekable:
            reader = FrameReader(self._container, self._stream, packets)
            filled = reader.read_by_seeking(requested)
            self.decoded += reader.decoded
            if filled:
                return
        self._open()
        reader = FrameReader(self._container, self._stream, packets)
        reader.read_from_start(requested)
        self.decoded += reader.decoded

    def _scan(self) -> Packets:
        """Read all packets, once, and decode the first picture on the way.

        Encrypted packets are refused: some of them decode to pictures of noise.
        """
        if self._packets is None:
            self._open()
            first = FirstPicture(self._stream)

            def watch(packet: Any) -> None:
                if packet.has_sidedata("encryption_info"):
                    reason = "the video is encrypted; decrypt the file first"
                    raise VideoError(f"{self.path.name}: {reason}")
                first.watch(packet)

            self._packets = read_packets(self._container, self._stream, watch)
            self._picture = first.finish()
            self.decoded += first.decoded
        return self._packets

    def _open(self) -> None:
        self.close()
        self._container, self._stream = open_film(self.path)
        self.opened += 1
