"""Exact decoding with PyAV (FFmpeg): every frame is identified by its presentation time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.video.completeness import require_whole
from vtg_eval.video.container import opened
from vtg_eval.video.decoder import Decoder, content_digest, require_content
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.packets import Packets, Timeline, demux, read_packets
from vtg_eval.video.resize import Resizer, display_pose
from vtg_eval.video.structure import Structure, read_structure

# Decoding on costs less than a seek until this many frames would be decoded for nothing.
MAX_WASTE = 48
# Longest time (seconds) for which an earlier frame may stand in for damaged ones.
LONGEST_FREEZE = 1.0
# Seconds (11 days); time stamps beyond are damage.
LONGEST_VIDEO = 1e6


class PyavDecoder(Decoder):
    """FFmpeg through PyAV: sequential, seeking only over gaps longer than a group of pictures."""

    name = "pyav"
    version = "{} (libavcodec {}, libswscale {})".format(
        av.__version__,
        *(".".join(map(str, av.library_versions[lib])) for lib in ("libavcodec", "libswscale")),
    )

    def probe(self, path: Path) -> VideoInfo:
        """Read all packets' times and decode the first picture.

        Raises VideoError; CutShortError where the file states that it goes on.
        """
        require_content(path)
        structure = read_structure(path)
        try:
            return _probe(path, structure)
        except CutShortError:
            raise
        except VideoError as exc:
            if structure.cut is None:
                raise
            reason = f"the file is cut, and nothing can be read; {structure.cut}"
            raise CutShortError(f"{path.name}: {reason}") from exc

    def read(
        self, path: Path, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Decode the requested frames in one pass."""
        with opened(path) as (container, stream):
            packets = read_packets(container, stream)
        if not len(packets.pts):
            raise VideoError(f"{path.name}: the video stream has no frames")
        rows = np.asarray(indices, dtype=np.int64)
        requested = _Frames(packets, rows, size)
        # A decoder may withhold frames after a seek (gradual refresh); then go without seeking.
        for seeking in (True, False):
            with opened(path) as (container, stream):
                may_seek = seeking and not (packets.by_order or packets.joined)
                if _decode(container, stream, packets, requested, may_seek):
                    break
        return requested.finish(path.name)


def _probe(path: Path, structure: Structure) -> VideoInfo:
    with opened(path) as (container, stream):
        packets = read_packets(container, stream)
        rate = stream.average_rate
        require_whole(path, structure, container, stream, packets)
    if not len(packets.pts):
        raise VideoError(f"{path.name}: the video stream has no frames")
    if not packets.duration < LONGEST_VIDEO:
        raise VideoError(f"{path.name}: its time stamps are damaged")
    with opened(path) as (container, stream):
        stream.thread_count = 1
        frame = next((frame for _, frame in _pictures(container, stream, packets)), None)
    if frame is None:
        raise VideoError(f"{path.name}: no picture can be decoded")
    pose = display_pose(frame)
    height, width = frame.height, frame.width
    if pose.transposed:
        height, width = width, height
    return VideoInfo(
        digest=content_digest(path),
        duration=packets.duration,
        fps=float(rate) if rate else len(packets.pts) / packets.duration,
        height=height,
        width=width,
        times=packets.times,
        mirrored=pose.mirrored,
        length_stated=structure.whole or structure.seconds is not None,
    )


class _Frames:
    """The requested frames, filled in ascending order."""

    def __init__(
        self, packets: Packets, rows: npt.NDArray[np.int64], size: tuple[int, int]
    ) -> None:
        self._packets = packets
        self._requested = packets.times[rows]
        self._resizer = Resizer(size)
        self.array = np.empty((len(rows), *size, 3), dtype=np.uint8)
        self.times = np.full(len(rows), np.nan)
        self.queue = deque(enumerate(packets.pts[rows].tolist()))

    @property
    def next_pts(self) -> int:
        return int(self.queue[0][1])

    def put(self, pts: int, frame: av.VideoFrame, until: int | None = None) -> None:
        """Put a frame into the rows whose pts is at most `until` (by default the frame's)."""
        picture = None
        while self.queue and self.next_pts <= (pts if until is None else until):
            row, _ = self.queue.popleft()
            picture = self._resizer.picture(frame) if picture is None else picture
            self.array[row] = picture
            self.times[row] = self._packets.time(pts)

    def finish(self, name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Return array and times; raises VideoError where no frame nearby was decodable."""
        frozen = ~(np.abs(self.times - self._requested) <= LONGEST_FREEZE)
        if frozen.any():
            raise VideoError(
                f"{name}: no picture can be decoded at {self._requested[frozen][0]:.3f} s"
            )
        return self.array, self.times


def _decode(
    container: Any, stream: Any, packets: Packets, requested: _Frames, seeking: bool
) -> bool:
    """Decode the requested frames; False when, after a seek, one of them did not come out."""
    last: tuple[int, av.VideoFrame] | None = None
    seek_pts = packets.seek_target(None, requested.next_pts, MAX_WASTE) if seeking else None
    if seek_pts is not None:
        container.seek(seek_pts, stream=stream)
    while requested.queue:
        next_seek = None
        for pts, frame in _pictures(container, stream, packets):
            if pts > requested.next_pts:
                if seeking:
                    return False
                # A damaged frame: a player goes on showing the one before.
                requested.put(*(last or (pts, frame)), until=pts - 1)
            requested.put(pts, frame)
            last = (pts, frame)
            if not requested.queue:
                return True
            if seeking:
                next_seek = packets.seek_target(pts, requested.next_pts, MAX_WASTE)
                # A seek may land early: seek only once.
                if next_seek is not None and next_seek != seek_pts:
                    break
        else:
            if last is None or seeking:
                return False
            requested.put(*last, until=int(packets.pts[-1]))
            return True
        seek_pts = next_seek
        container.seek(seek_pts, stream=stream)
    return True


def _pictures(container: Any, stream: Any, packets: Packets) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (pts, frame) in display order from the container's position on.

    Starts at the first key frame; frames displayed before it refer to what was not decoded.
    """
    first: int | None = None
    count = 0
    for packet, sound in Timeline(container, stream).continuous(demux(container, stream)):
        if not sound:
            continue
        if first is None and packet.size:
            if not packet.is_keyframe:
                continue
            first = packet.pts if packet.pts is not None else packet.dts
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # a damaged packet; the frames around it may still be good
        for frame in frames:
            if packets.by_order:
                if count < len(packets.pts):
                    yield int(packets.pts[count]), frame
                count += 1
            elif frame.pts is not None and first is not None and frame.pts >= first:
                yield frame.pts, frame
