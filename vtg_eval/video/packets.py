"""A video stream's packets: when each frame is shown and where decoding may start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

# FFmpeg's flag of formats whose time stamps may start again (AVFMT_TS_DISCONT).
TIMES_MAY_JUMP = 0x0200
# Seconds by which a decoding time may go back, and leave the expected one.
JUMP_BACK, JUMP_AWAY = Fraction(1, 10), Fraction(10)
# FFmpeg's formats in which not every frame has a time stamp: others are worked out on the way.
INTERPOLATED = ("mpeg", "mpegvideo")
# FFmpeg marks one of this many packets before a join as corrupt.
BEFORE_JOIN = 2


@dataclass(frozen=True)
class Packets:
    """The frames a decoder shows, in display order, in the stream's own time unit.

    pts: int64 [N], ascending. ranks: int64 [N], the place of each frame's packet in decoding order.
    key_pts, key_dts, key_ranks: int64 [K], of the key frames; key_dts are their decoding times.
    origin: where the container's timeline starts (seconds). end: end of the last frame (pts).
    by_order: the file stores no display order, so frames are known by number. seekable: a frame
    has the same time stamp after a seek. count: the number of packets that were read, whether
    shown or not.
    """

    pts: npt.NDArray[np.int64]
    ranks: npt.NDArray[np.int64]
    key_pts: npt.NDArray[np.int64]
    key_dts: npt.NDArray[np.int64]
    key_ranks: npt.NDArray[np.int64]
    time_base: Fraction
    origin: Fraction
    end: int
    by_order: bool
    seekable: bool
    count: int

    def time(self, pts: int) -> float:
        """Return a pts as seconds from the start of the container's timeline."""
        return float(pts * self.time_base - self.origin)

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """All frames' times, float64 [N], seconds: `time` of each."""
        scale = math.lcm(self.time_base.denominator, self.origin.denominator)
        step, start = int(self.time_base * scale), int(self.origin * scale)
        # Python rounds the quotient of two integers once
        times = [(pts * step - start) / scale for pts in self.pts.tolist()]
        return np.array(times, dtype=np.float64)

    @property
    def duration(self) -> float:
        """Seconds to the end of the last frame."""
        return self.time(self.end)


class Timeline:
    """One timeline for a file whose time stamps jump, such as joined transport streams.

    The rule is that of ffmpeg's command line (`ts_discontinuity_detect`), for the same formats:
    where decoding times go back by over 0.1 s, or leave the expected one by over 10 s, what follows
    is moved to the expected time.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self.joined = False
        self._applies = bool(container.format.flags & TIMES_MAY_JUMP)
        self._time_base = Fraction(stream.time_base)
        rate = stream.average_rate
        self._step = round(1 / (rate * self._time_base)) if rate else 0
        self._offset = self._expected = 0
        self._last: int | None = None

    def sound(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Yield the packets that are not damaged, in decoding order, with mended times.

        At a join the packets before count as sound: only a number in the stream is wrong.
        """
        if not self._applies:
            yield from (packet for packet in packets if packet.size and not packet.is_corrupt)
            return
        held: list[Any] = []
        for packet in packets:
            if self._mend(packet):
                yield from (before for before in held if before.size)
                held.clear()
            held.append(packet)
            while held and not (held[0].is_corrupt and len(held) <= BEFORE_JOIN):
                before = held.pop(0)
                if before.size and not before.is_corrupt:
                    yield before
        yield from (before for before in held if before.size and not before.is_corrupt)

    def _mend(self, packet: Any) -> bool:
        """Move the packet's times by what the jumps so far amount to; tell whether it jumps."""
        jumps = False
        if packet.dts is not None and packet.size:
            dts = packet.dts + self._offset
            if self._last is not None:
                back, away = (self._last - dts), abs(dts - self._expected)
                jumps = bool(
                    back * self._time_base > JUMP_BACK or away * self._time_base > JUMP_AWAY
                )
            if jumps:
                self.joined = True
                self._offset += self._expected - dts
            self._last = packet.dts + self._offset
            self._expected = self._last + (packet.duration or self._step)
        if self._offset:
            packet.dts = None if packet.dts is None else packet.dts + self._offset
            packet.pts = None if packet.pts is None else packet.pts + self._offset
        return jumps


def demux(container: Any, *streams: Any) -> Iterator[Any]:
    """Yield the packets of the streams (of all, without any) to the end of the file.

    In FLV, MPEG-TS and MPEG-PS a stream may first appear after the file was opened, mostly by
    damage. PyAV has no object for it and raises IndexError at each of its packets, which are left
    out.
    """
    while True:
        try:
            yield from container.demux(*streams)
            return
        except IndexError:
            continue


def sound_packets(container: Any, stream: Any, timeline: Timeline) -> Iterator[Any]:
    """Return the stream's packets from the position on, as `Timeline.sound` gives them."""
    return timeline.sound(demux(container, stream))


def packet_time(packet: Any) -> int | None:
    """Return when the packet's frame is shown; the decoding time where the file lacks it."""
    time: int | None = packet.dts if packet.pts is None else packet.pts
    return time


def read_packets(container: Any, stream: Any, watch: Callable[[Any], None]) -> Packets:
    """Demux the whole stream. watch: is called with each packet, in decoding order.

    Left out, because no player shows them: packets outside the edit list, damaged ones, and
    those displayed before the first key frame (they refer to frames cut away).
    """
    timeline = Timeline(container, stream)
    is_reordered = bool(stream.codec_context.has_b_frames)  # decoding may change it
    rows = []
    for packet in sound_packets(container, stream, timeline):
        duration = packet.duration or 0
        rows.append((packet.pts, packet.dts, duration, packet.is_keyframe, packet.is_discard))
        watch(packet)
    by_order = container.format.name == "avi" and is_reordered and _stamps_ascend(rows)
    stamped = [
        (dts if by_order or pts is None else pts, dts, duration, key, discard, rank)
        for rank, (pts, dts, duration, key, discard) in enumerate(rows)
        if (dts if by_order or pts is None else pts) is not None
    ]
    keys = sorted(
        (pts, pts if dts is None else dts, rank) for pts, dts, _, key, _, rank in stamped if key
    )
    first = next((pts for pts, _, _, key, _, _ in stamped if key), 0)
    shown = {
        pts: (duration, rank)
        for pts, _, duration, _, discard, rank in stamped
        if keys and not discard and pts >= first
    }
    pts = np.array(sorted(shown), dtype=np.int64)
    durations = {pts: duration for pts, (duration, _) in shown.items()}
    end = int(pts[-1]) + _last_duration(durations, container, stream) if len(pts) else 0
    key_table = np.array(keys, dtype=np.int64).reshape(-1, 3)
    return Packets(
        pts=pts,
        ranks=np.array([shown[stamp][1] for stamp in pts.tolist()], dtype=np.int64),
        key_pts=key_table[:, 0],
        key_dts=key_table[:, 1],
        key_ranks=key_table[:, 2],
        time_base=Fraction(stream.time_base),
        origin=_origin(container),
        end=end,
        by_order=by_order,
        seekable=not (by_order or timeline.joined or container.format.name in INTERPOLATED),
        count=len(rows),
    )


def _stamps_ascend(rows: list[tuple[Any, ...]]) -> bool:
    """Tell whether time stamps ascend in decoding order.

    AVI stores one time stamp a packet, in decoding order; so does H.264 with reordered frames.
    """
    stamps = [dts if pts is None else pts for pts, dts, *_ in rows]
    present = [stamp for stamp in stamps if stamp is not None]
    return bool(rows) and all(a < b for a, b in pairwise(present))


def _last_duration(shown: dict[int, int], container: Any, stream: Any) -> int:
    """Return how long the last frame stays, in the stream's time unit; the file may lack it.

    shown: each frame's pts and duration, in decoding order. MP4 stores the differences of decoding
    times: where frames are reordered, the total is right, and thus the last one decoded.
    """
    last = max(shown)
    duration = shown[next(reversed(shown))] if "mp4" in container.format.name else shown[last]
    if duration:
        return duration
    before = max((pts for pts in shown if pts < last), default=None)
    if before is not None:
        return last - before
    rate = stream.average_rate
    return max(1, round(1 / (rate * stream.time_base))) if rate else 1


def _origin(container: Any) -> Fraction:
    """Return the start of the container's timeline in seconds, exact where a stream has it.

    FFmpeg rounds the container's own figure to microseconds.
    """
    if container.start_time is None:
        return Fraction(0)
    rounded = Fraction(container.start_time, 1_000_000)
    starts = [
        stream.start_time * Fraction(stream.time_base)
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    return next(
        (start for start in starts if abs(start - rounded) <= Fraction(1, 1_000_000)), rounded
    )
