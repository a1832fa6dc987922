"""The layout `VIDEO START END##sentence`, one moment a line, and a CSV of the videos' lengths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.records import finite_number, read_csv, shown
from vtg_eval.annotations.text import text_lines
from vtg_eval.errors import DataError
from vtg_eval.types import LONGEST, Span

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
    counts: Counter[str] = Counter()
    for number, line in text_lines(path):
        match = LINE.fullmatch(line.strip())
        span = _span(match[2], match[3]) if match else None
        if match is None or span is None:
            raise DataError(
                f"{path}, line {number}: expected `VIDEO START END##sentence` with times in "
                f"seconds, found `{shown(line.strip())}`."
            )
        video = match[1]
        yield SentenceLine(f"{video}/{counts[video]}", video, span, match[4].strip())
        counts[video] += 1


def read_lengths(path: Path) -> Mapping[str, float]:
    """Return each video's length (seconds) from the columns `id` and `length`.

    Empty where there is no such file; raises DataError that names the line.
    """
    lengths: dict[str, float] = {}
    for row in read_csv(path) if path.is_file() else ():
        video, length = row.text("id"), row.duration("length")
        if not video or lengths.get(video, length) != length:
            raise DataError(f"{row.where}: expected another `id` than `{shown(video)}`.")
        lengths[video] = length
    return lengths


def _span(start: str, end: str) -> Span | None:
    times = finite_number(start), finite_number(end)
    if times[0] is None or times[1] is None or max(abs(times[0]), abs(times[1])) > LONGEST:
        return None
    return Span(times[0], times[1])
