"""Decoding the requested frames of a film, and no packet that none of them needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from vtg_eval.errors import VideoError
from vtg_eval.video.packets import Packets, Timeline, packet_time, sound_packets
from vtg_eval.video.resize import Resizer

# Decoding on costs less than a seek until this many packets would be decoded for nothing.
MAX_WASTE = 2
# Longest time (seconds) for which an earlier frame may stand in for damaged ones.
LONGEST_FREEZE = 1.0


class RequestedFrames:
    """The requested frames, filled in ascending order."""

    def __init__(
        self, packets: Packets, rows: npt.NDArray[np.int64], size: tuple[int, int]
    ) -> None:
        self._packets = packets
        self._requested = packets.times[rows]
        self._resizer = Resizer(size)
        self._queue = deque(enumerate(packets.pts[rows].tolist()))
        self.array = np.empty((len(rows), *size, 3), dtype=np.uint8)
        self.times = np.full(len(rows), np.nan)

    @property
    def missing(self) -> list[int]:
        """The pts of the frames that are not filled, ascending."""
        return [pts for _, pts in self._queue]

    @property
    def next_pts(self) -> int | None:
        """The first pts of those, None where all are filled."""
        return int(self._queue[0][1]) if self._queue else None

    def put(self, pts: int, frame: av.VideoFrame, until: int | None = None) -> None:
        """Put a frame into the rows whose pts is at most `until` (by default the frame's)."""
        picture = None
        while self._queue and self._queue[0][1] <= (pts if until is None else until):
            row, _ = self._queue.popleft()
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Packets to decode in a row: from a key frame (its number) to the packet `last` (its rank).

    until: the pts of the last frame that is requested of it.
    """

    key: int
    last: int
    until: int


def stretches(packets: Packets, requested: Iterable[int]) -> list[Stretch]:
    """Return what must be decoded for the frames with these pts (ascending)."""
    plan: list[Stretch] = []
    for pts in requested:
        key = int(np.searchsorted(packets.key_pts, pts, side="right")) - 1
        rank = int(packets.ranks[np.searchsorted(packets.pts, pts)])
        if plan and packets.key_ranks[key] - plan[-1].last - 1 <= MAX_WASTE:
            plan[-1] = Stretch(plan[-1].key, max(plan[-1].last, rank), pts)
        else:
            plan.append(Stretch(key, rank, pts))
    return plan


class FirstPicture:
    """Decodes the packets that it is shown until a picture comes out.

    decoded: how many packets the decoder was given.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._key: int | None = None
        self._picture: av.VideoFrame | None = None
        self.decoded = 0

    def watch(self, packet: Any) -> None:
        """Decode a packet, from the first key frame on."""
        if self._key is None and packet.is_keyframe:
            self._key = packet_time(packet)
        if self._key is not None and self._picture is None:
            self._decode(packet)

    def finish(self) -> av.VideoFrame | None:
        """Return the picture, None where there is none."""
        if self._key is not None and self._picture is None:
            self._decode(None)
        return self._picture

    def _decode(self, packet: Any) -> None:
        self.decoded += packet is not None
        for frame in decoded_frames(self._stream, packet):
            # those displayed before the key frame refer to what was not decoded
            if self._picture is None and (frame.pts is None or frame.pts >= self._key):
                self._picture = frame


class FrameReader:
    """Decodes a film's frames. decoded: how many packets its decoder was given."""

    def __init__(self, container: Any, stream: Any, packets: Packets) -> None:
        self._container = container
        self._stream = stream
        self._packets = packets
        self.decoded = 0

    def read_by_seeking(self, requested: RequestedFrames) -> bool:
        """Fill the frames, stretch by stretch; False when one of them did not come out."""
        for stretch in stretches(self._packets, requested.missing):
            for pts, frame in self._stretch(stretch):
                expected = requested.next_pts
                if expected is None or expected > stretch.until:
                    break
                if pts > expected:
                    return False
                requested.put(pts, frame)
            expected = requested.next_pts
            if expected is not None and expected <= stretch.until:
                return False
        return True

    def read_from_start(self, requested: RequestedFrames) -> None:
        """Fill the frames without seeking, from a container that was just opened.

        Instead of a damaged frame comes the one before, as a player goes on showing it.
        """
        last: tuple[int, av.VideoFrame] | None = None
        for pts, frame in self.pictures():
            expected = requested.next_pts
            if expected is None:
                return
            if pts > expected:
                requested.put(*(last or (pts, frame)), until=pts - 1)
            requested.put(pts, frame)
            last = (pts, frame)
        if last is not None:
            requested.put(*last, until=int(self._packets.pts[-1]))

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (pts, frame) in display order, from a container that was just opened.

        Starts at the first key frame; frames displayed before it refer to what was not decoded.
        """
        packets = self._sound_packets()
        key = next((packet for packet in packets if packet.is_keyframe), None)
        if key is None:
            return
        first = packet_time(key)
        numbers = iter(self._packets.pts.tolist())
        for frame in self._decode(chain([key], packets)):
            if not self._packets.by_order:
                if frame.pts is not None and first is not None and frame.pts >= first:
                    yield frame.pts, frame
            elif (number := next(numbers, None)) is not None:
                yield number, frame

    def _stretch(self, stretch: Stretch) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (pts, frame) of a stretch in display order; nothing where no seek gets there."""
        packets = self._from_key(stretch.key)
        if packets is None:
            return
        key = int(self._packets.key_pts[stretch.key])
        count = stretch.last - int(self._packets.key_ranks[stretch.key]) + 1
        for frame in self._decode(islice(packets, count)):
            if frame.pts is not None and frame.pts >= key:
                yield frame.pts, frame

    def _from_key(self, key: int) -> Iterator[Any] | None:
        """Go to a key frame (its number) and return the packets from it on; None where that fails.

        Most containers seek by presentation time, some by decoding time, some come out too late.
        """
        known = self._packets
        pts = int(known.key_pts[key])
        for stamp in (pts, int(known.key_dts[key]), int(known.key_dts[max(key - 1, 0)])):
            try:
                self._container.seek(stamp, stream=self._stream)
            except av.FFmpegError:
                continue
            packets = self._sound_packets()
            for packet in packets:
                if packet.is_keyframe and (time := packet_time(packet)) is not None and time >= pts:
                    if time == pts:
                        return chain([packet], packets)
                    break
        return None

    def _sound_packets(self) -> Iterator[Any]:
        timeline = Timeline(self._container, self._stream)
        return sound_packets(self._container, self._stream, timeline)

    def _decode(self, packets: Iterable[Any]) -> Iterator[av.VideoFrame]:
        """Yield the frames of these packets, to the last one that the decoder holds back."""
        for packet in chain(packets, [None]):
            self.decoded += packet is not None
            yield from decoded_frames(self._stream, packet)


def decoded_frames(stream: Any, packet: Any) -> list[av.VideoFrame]:
    """Return the frames that come out for a packet; with None, those held back."""
    try:
        return list(stream.decode(packet))
    except av.error.InvalidDataError:
        return []  # a damaged packet; the frames around it may still be good
