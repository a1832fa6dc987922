"""Whether a file holds all of its video: what it states about its end, against what can be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vtg_eval.errors import CutShortError
from vtg_eval.video.container import opened
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.packets import Packets
from vtg_eval.video.structure import Structure

# Seconds that may be missing: durations are rounded.
SLACK = 1.0
# Shares of an annotated duration that may be missing as well: of files that do not state their own
# length, and of those that do and hold it (DiDeMo counts begun pieces of 5 s, for example).
SHARE, SHARE_OF_WHOLE_FILES = 0.05, 0.25


def require_whole(
    path: Path, structure: Structure, container: Any, stream: Any, packets: Packets
) -> None:
    """Raise CutShortError where frames of the stream are missing at the end of the file."""
    reason = _missing(path, structure, container, stream, packets)
    if reason:
        stated = container.duration / 1e6 if container.duration else 0.0
        whole = f" of {stated:.1f}" if stated > packets.duration else ""
        raise CutShortError(
            f"{path.name}: the file is cut: {max(packets.duration, 0.0):.1f}{whole} s can be read; "
            f"{reason}"
        )


def _missing(
    path: Path, structure: Structure, container: Any, stream: Any, packets: Packets
) -> str | None:
    """Return why frames are missing, None where nothing says so."""
    formats = container.format.name.split(",")
    if "mp4" in formats:
        size = path.stat().st_size
        missing = sum(entry.pos + entry.size > size for entry in stream.index_entries)
        if missing:
            return f"its index names {missing:,} frames beyond the file's end"
    if structure.cut and "avi" in formats and 0 < stream.frames <= packets.count:
        return None  # only sound is missing
    if structure.cut:
        return structure.cut
    if structure.seconds and _reaches(path, packets) < structure.seconds - SLACK:
        return f"it states a duration of {structure.seconds:.1f} s"
    return None


def _reaches(path: Path, packets: Packets) -> float:
    """Return the time (seconds) at which the last packet of any stream ends."""
    last = float(packets.end * packets.time_base)
    with opened(path) as (container, _):
        for packet in container.demux():
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
