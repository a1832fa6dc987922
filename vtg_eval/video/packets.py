"""A video stream's packets: when each frame is shown and where decoding may start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
# FFmpeg marks one of this many packets before a join as corrupt.
BEFORE_JOIN = 2


@dataclass(frozen=True)
class Packets:
    """The frames a decoder shows, in display order, in the stream's own time unit.

    pts: int64 [N], ascending. key_pts, key_seek: int64 [K], key frames and the time stamp to
    seek to for each. origin: where the container's timeline starts (seconds). end: end of the
    last frame (pts). by_order: the file stores no display order, so frames are known by number.
    joined: the file's time stamps jump, and `continuous` mends them; seeking is not possible.
    count: the number of packets that were read, whether shown or not.
    """

    pts: npt.NDArray[np.int64]
    key_pts: npt.NDArray[np.int64]
    key_seek: npt.NDArray[np.int64]
    time_base: Fraction
    origin: Fraction
    end: int
    by_order: bool
    joined: bool
    count: int

    def time(self, pts: int) -> float:
        """Return a pts as seconds from the start of the container's timeline."""
        return float(pts * self.time_base - self.origin)

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """All frames' times, float64 [N], seconds."""
        return np.array([self.time(pts) for pts in self.pts.tolist()], dtype=np.float64)

    @property
    def duration(self) -> float:
        """Seconds to the end of the last frame."""
        return self.time(self.end)

    def seek_target(self, position: int | None, target: int, max_waste: int) -> int | None:
        """Return the time stamp to seek to on the way from `position` to `target` (pts).

        None where decoding on would waste at most `max_waste` frames.
        """
        key = int(np.searchsorted(self.key_pts, target, side="right")) - 1
        if key < 0:
            return None
        done = -1 if position is None else int(np.searchsorted(self.pts, position))
        wasted = int(np.searchsorted(self.pts, self.key_pts[key])) - done - 1
        return int(self.key_seek[key]) if wasted > max_waste else None


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

    def continuous(self, packets: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
        """Yield (packet, whether it is sound), in decoding order, with mended times.

        At a join the packets before count as sound: only a number in the stream is wrong.
        """
        held: list[Any] = []
        for packet in packets:
            if self._applies and self._mend(packet):
                yield from ((before, True) for before in held)
                held.clear()
            held.append(packet)
            while held and not (held[0].is_corrupt and len(held) <= BEFORE_JOIN):
                before = held.pop(0)
                yield before, not before.is_corrupt
        yield from ((before, not before.is_corrupt) for before in held)

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


def read_packets(container: Any, stream: Any) -> Packets:
    """Demux the whole stream without decoding.

    Left out, because no player shows them: packets outside the edit list, damaged ones, and
    those displayed before the first key frame (they refer to frames cut away).
    """
    timeline = Timeline(container, stream)
    rows = [
        (packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.is_discard)
        for packet, sound in timeline.continuous(demux(container, stream))
        if packet.size and sound
    ]
    by_order = bool(rows) and _order_is_lost(rows, container, stream)
    stamped = [
        (dts if by_order or pts is None else pts, dts, duration, key, discard)
        for pts, dts, duration, key, discard in rows
        if (dts if by_order or pts is None else pts) is not None
    ]
    keys = [(pts, pts if dts is None else dts) for pts, dts, _, key, _ in stamped if key]
    first = keys[0][0] if keys else 0
    shown = {
        pts: duration
        for pts, _, duration, _, discard in stamped
        if keys and not discard and pts >= first
    }
    pts = np.array(sorted(shown), dtype=np.int64)
    end = int(pts[-1]) + _last_duration(shown, container, stream) if len(pts) else 0
    keys.sort()
    return Packets(
        pts=pts,
        key_pts=np.array([key for key, _ in keys], dtype=np.int64),
        key_seek=np.array([seek for _, seek in keys], dtype=np.int64),
        time_base=Fraction(stream.time_base),
        origin=_origin(container),
        end=end,
        by_order=by_order,
        joined=timeline.joined,
        count=len(rows),
    )


def _order_is_lost(rows: list[tuple[Any, ...]], container: Any, stream: Any) -> bool:
    """Tell whether frames are reordered but their time stamps are not (H.264 in AVI).

    AVI stores one time stamp a packet, in decoding order.
    """
    if container.format.name != "avi" or not stream.codec_context.has_b_frames:
        return False
    stamps = [dts if pts is None else pts for pts, dts, *_ in rows]
    present = [stamp for stamp in stamps if stamp is not None]
    return all(a < b for a, b in pairwise(present))


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
