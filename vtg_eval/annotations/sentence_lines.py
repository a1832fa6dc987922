"""The layout `VIDEO START END##sentence`, one moment a line, and a CSV of the videos' lengths."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.records import read_csv
from vtg_eval.errors import DataError
from vtg_eval.types import Span

LINE = re.compile(r"(\w+) (\S+) (\S+?)##(.*)", re.ASCII)


class SentenceLine(NamedTuple):
    """One moment: the video's id, start and end in seconds as in the file, the sentence.

    id: <video>/<k>, the k-th line of that video, from 0.
    """

    id: str
    video: str
    span: Span
    sentence: str


def read_sentence_lines(path: Path) -> Iterator[SentenceLine]:
    """Yield the file's moments; blank lines are skipped. Raises DataError that names the line."""
    counts: dict[str, int] = {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.decode("utf-8", errors="replace").strip()
            if not line:
                continue
            match = LINE.fullmatch(line)
            span = Span(_seconds(match[2]), _seconds(match[3])) if match else Span(math.nan, 0)
            if match is None or not all(map(math.isfinite, span)):
                raise DataError(
                    f"{path}, line {number}: expected `VIDEO START END##sentence` with times in "
                    f"seconds, found `{line[:60]}`."
                )
            video = match[1]
            index = counts.get(video, 0)
            counts[video] = index + 1
            yield SentenceLine(f"{video}/{index}", video, span, match[4].strip())


def read_lengths(path: Path) -> Mapping[str, float]:
    """Return each video's length (seconds) from the columns `id` and `length`.

    Empty where there is no such file; raises DataError that names the line.
    """
    lengths: dict[str, float] = {}
    for row in read_csv(path) if path.is_file() else ():
        length = row.seconds("length")
        if not length > 0 or not row.text("id"):
            raise DataError(f"{row.where}: expected the columns `id` and `length` (seconds).")
        lengths[row.text("id")] = length
    return lengths


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
