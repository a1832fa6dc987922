"""Names of video files: the source video, and the part of it that a file shows."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import NamedTuple

ENDING = re.compile(
    r".\.(?:mp4|mkv|webm|avi|mov|mpg|mpeg|m4v|wmv|flv|3gp|3g2|mts|m2ts|ogv)?\Z", re.IGNORECASE
)

# how data sets write the ids of videos; `start` and `end` are seconds, or h:m:s:ms
_ID = r"(?P<id>[A-Za-z0-9_-]{11})"
_CLOCK = r"\d\d:\d\d:\d\d[:.]\d{3}"
CONVENTIONS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"v_{_ID}",  # ActivityNet
        rf"{_ID}_(?P<start>\d+(?:\.\d+)?)_(?P<end>\d+(?:\.\d+)?)",  # QVHighlights
        rf"{_ID}_(?P<start>{_CLOCK})_(?P<end>{_CLOCK})",  # InternVid
        r"(?P<id>s\d+-d\d+)-cam-\d+",  # TACoS
    )
)


class VideoPart(NamedTuple):
    """A source video's id, and the part of it that a file shows, by the file's name (seconds)."""

    id: str
    start: float = -math.inf
    end: float = math.inf

    def overlaps(self, other: VideoPart) -> bool:
        """Tell whether two files show some of the same frames."""
        return self.id == other.id and self.start < other.end and other.start < self.end


def video_part(video: str) -> VideoPart:
    """Return the source video of a path or id, by any of the naming conventions.

    Folders and suffixes are removed, case is kept. Ids are compared across all data sets, so
    different videos with plain numbers as names ("001.mp4") may count as the same.
    """
    name = PurePosixPath(video).name
    while ENDING.search(name):
        name = name[: name.rindex(".")]
    for convention in CONVENTIONS:
        match = convention.fullmatch(name)
        if match:
            fields = match.groupdict()
            if "start" not in fields:
                return VideoPart(fields["id"])
            return VideoPart(fields["id"], _seconds(fields["start"]), _seconds(fields["end"]))
    return VideoPart(name)


def _seconds(text: str) -> float:
    """Return the seconds of "660.0" or "00:00:39:000"."""
    parts = [float(part) for part in re.split(r"[:.]", text)] if ":" in text else []
    if not parts:
        return float(text)
    hours, minutes, seconds, thousandths = parts
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000
