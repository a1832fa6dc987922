"""Whether a file holds all of its video: what it states about its end, against what can be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.video.container import opened
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.packets import Packets, demux
from vtg_eval.video.structure import Structure

# Seconds that may be missing: durations are rounded.
SLACK = 1.0
# The same for the duration that a short file states, as a share.
STATED_SHARE = 0.1
# Shares of an annotated duration that may be missing as well: of files that do not state their own
# length, and of those that do and hold it (DiDeMo counts begun pieces of 5 s, for example).
SHARE, SHARE_OF_WHOLE_FILES = 0.05, 0.25
# Zeros at the end of a file that states no length: fewer are padding.
SHARE_OF_ZEROS = 0.05


def require_whole(
    path: Path, structure: Structure, container: Any, stream: Any, packets: Packets
) -> None:
    """Raise CutShortError where frames of the stream are missing at the end of the file.

    Raises VideoError where the file is all there but cannot be read to its end.
    """
    reason = _missing(path, structure, container, stream, packets)
    stated = structure.seconds or 0.0
    is_short = _reaches(path, packets, least(stated)) < least(stated)
    if not (reason or is_short or structure.damaged):
        return
    stated = stated or float((stream.duration or 0) * stream.time_base)
    whole = f" of {stated:.1f}" if stated > packets.duration else ""
    readable = f"{max(packets.duration, 0.0):.1f}{whole} s can be read"
    if reason or (is_short and not structure.whole):
        raise CutShortError(f"{path.name}: the file is cut: {readable}; {reason or 'it states so'}")
    raise VideoError(f"{path.name}: the file is damaged: {readable}")


def least(seconds: float) -> float:
    """Return what must be readable (seconds) of a file that states its duration."""
    return seconds - min(SLACK, STATED_SHARE * seconds)


def _missing(
    path: Path, structure: Structure, container: Any, stream: Any, packets: Packets
) -> str | None:
    """Return why frames are missing, None where nothing says so."""
    formats = container.format.name.split(",")
    size = path.stat().st_size
    content = size if structure.content is None else structure.content
    if "mp4" in formats:
        frames = [(entry.pos, entry.size) for entry in stream.index_entries]
        missing = sum(position + length > size for position, length in frames)
        if missing:
            return f"its index names {missing:,} frames beyond the file's end"
        zeros = sum(position >= content for position, length in frames if length)
        if zeros and stream.codec_context.name != "rawvideo":
            return f"its last {zeros:,} frames are zeros"
    if "avi" in formats and 0 < stream.frames <= packets.count:
        return None  # at most sound is missing
    states_length = structure.whole or structure.seconds
    if not (structure.cut or states_length) and size - content > SHARE_OF_ZEROS * size:
        return f"its last {size - content:,} bytes are zeros"
    return structure.cut


def _reaches(path: Path, packets: Packets, stated: float) -> float:
    """Return the time (seconds) at which the last packet of any stream ends, if before `stated`."""
    last = float(packets.end * packets.time_base)
    if last > stated:
        return last
    with opened(path) as (container, _):
        for packet in demux(container):
            if packet.pts is not None:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return last


def require_annotated(name: str, info: VideoInfo, annotated: float | None) -> None:
    """Raise CutShortError where the video is much shorter than annotated (seconds).

    name: of the file. info: of the video as shown.
    """
    if annotated is None or not math.isfinite(annotated):
        return
    share = SHARE_OF_WHOLE_FILES if info.length_stated else SHARE
    if annotated - info.duration > max(SLACK, share * annotated):
        raise CutShortError(
            f"{name}: the file is cut: {info.duration:.1f} of {annotated:.1f} s as annotated "
            "can be read"
        )
