"""Subtitles: reading SRT and LongVideoBench's JSON, and the text that goes with shown frames."""

from __future__ import annotations

import codecs
import html
import json
import logging
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from vtg_eval.errors import DataError
from vtg_eval.types import Cue

MIB = 1 << 20
# A day of speech is under 2 MiB.
LIMIT = 16 * MIB
REPLACED = "\ufffd"

# "01:02:03,450"; hours and fraction may be missing; the comma may be a dot or a colon.
_TIME = r"(?:([0-9]{1,3}):)?([0-9]{1,3}):([0-9]{1,2})(?:[.,:]([0-9]{1,9}))?"
TIME = re.compile(_TIME)
CUE_TIMES = re.compile(rf"\s*+{_TIME}\s*+-{{1,2}}>\s*+{_TIME}(?![0-9])")
# A line that should hold a cue's times but does not.
BROKEN_TIMES = re.compile(r"\s*+(?:[0-9][^>]{0,40}?)?-->")
# HTML's and WebVTT's tags, and overrides left over from SubStation files.
TAG = re.compile(r"</?[A-Za-z][^<>]*+>|<[0-9][0-9:.]*+>|\{\\[^{}]*+\}")
LINE_END = re.compile(r"\r++\n?")

log = logging.getLogger(__name__)


class ParsedSubtitles(NamedTuple):
    """The cues by start, and how many malformed ones were skipped."""

    cues: tuple[Cue, ...]
    malformed: int


def read_subtitles(path: Path, offset: float = 0.0, duration: float = math.inf) -> tuple[Cue, ...]:
    """Return a file's cues, by start: LongVideoBench's JSON (.json), else SRT.

    offset: the file's time at the video's start; duration: the video's length; both in seconds.
    Cues that end before the video starts or start after its end are left out: a file may cover the
    longer video that this one was cut from. Malformed cues are skipped, and a warning counts them.
    Raises DataError that names the file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise DataError(f"{path}: the subtitles cannot be read: {reason}") from exc
    if len(content) > LIMIT:
        raise DataError(
            f"{path} is larger than {LIMIT // MIB} MiB, which no subtitles are; "
            "fetch the file again"
        )
    parse = parse_json if path.suffix.lower() == ".json" else parse_srt
    text = decoded(content)
    if REPLACED in text:
        line = text.count("\n", 0, text.index(REPLACED)) + 1
        log.warning("%s, line %d: bytes that are not UTF-8 are shown as %s", path, line, REPLACED)
    parsed = parse(text, str(path))
    if parsed.malformed:
        log.warning("%s: %d malformed cue(s) skipped", path, parsed.malformed)
    moved = (Cue(cue.start - offset, cue.end - offset, cue.text) for cue in parsed.cues)
    return tuple(cue for cue in moved if cue.end >= 0 and cue.start <= duration)


def subtitle_text(
    cues: Iterable[Cue], times: Iterable[float], scope: Literal["shown-frames", "all"]
) -> str:
    """Return the cues' texts, one a line, in order; neighbouring repeats only once.

    "shown-frames": the cues on screen at a shown frame's time (`times`, seconds, in any order),
    each once, as Video-MME gives them. On screen means start <= time <= end. The common code for
    Video-MME leaves the end out and rounds to frame numbers; LongVideoBench's own leaves both
    ends out and widens cues under a second to one second.
    """
    chosen = list(cues)
    if scope == "shown-frames":
        shown = sorted(time for time in times if math.isfinite(time))
        chosen = [cue for cue in chosen if _is_shown(cue, shown)]
    lines: list[str] = []
    for cue in chosen:
        if not lines or lines[-1] != cue.text:
            lines.append(cue.text)
    return "\n".join(lines)


def _is_shown(cue: Cue, times: list[float]) -> bool:
    first = bisect_left(times, cue.start)
    return first < len(times) and times[first] <= cue.end


def decoded(content: bytes) -> str:
    """Return a file's text: UTF-16 by byte order mark, else UTF-8; invalid bytes are replaced."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def parse_srt(text: str, name: str) -> ParsedSubtitles:
    """Return the cues of SRT text. Raises DataError, with `name`, for text without any cue.

    Counters and blank lines may be missing: a cue begins at the line with its times. A line of
    digits right before that line is the counter.
    """
    blocks = [(_cue_times(line), body) for line, body in _blocks(LINE_END.sub("\n", text))]
    well_formed = [(times, clean(" ".join(body))) for times, body in blocks if times is not None]
    if not well_formed and text.strip():
        raise DataError(f"{name} holds no subtitles that can be read; fetch the file again")
    cues = (Cue(*times, line) for times, line in well_formed if line)
    return ParsedSubtitles(_by_start(cues), len(blocks) - len(well_formed))


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each line of times, well-formed or not, and the lines of text that follow it."""
    head: str | None = None
    body: list[str] = []
    for line in text.split("\n"):
        if "->" in line and (CUE_TIMES.match(line) or BROKEN_TIMES.match(line)):
            if head is not None:
                yield head, _without_counter(body)
            head, body = line, []
        else:
            body.append(line)
    if head is not None:
        yield head, body


def _without_counter(body: list[str]) -> list[str]:
    counter = body[-1].strip() if body else ""
    return body[:-1] if counter.isascii() and counter.isdigit() else body


def _cue_times(line: str) -> tuple[float, float] | None:
    match = CUE_TIMES.match(line)
    if match is None:
        return None
    groups = match.groups()
    start, end = _seconds(groups[:4]), _seconds(groups[4:])
    return (start, end) if start <= end else None


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{int(seconds)}.{fraction}")


def parse_json(text: str, name: str) -> ParsedSubtitles:
    """Return the cues of LongVideoBench's JSON; times as the file has them, in seconds.

    A list of {"start", "end", "line"} with times like "00:01:02.345", or of
    {"timestamp": [start, end], "text"} with seconds, whose end may be null. Checked against
    longvideobench_dataset.py at commit 2aa4f91. Raises DataError, with `name`, for anything else.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{name} is not JSON ({exc}); fetch the file again") from exc
    if not isinstance(rows, list):
        raise DataError(f"{name} is not a list of subtitles; fetch the file again")
    cues = [cue for row in rows if (cue := _json_cue(row)) is not None]
    if rows and not cues:
        raise DataError(f"{name} holds no subtitles that can be read; fetch the file again")
    return ParsedSubtitles(_by_start(cue for cue in cues if cue.text), len(rows) - len(cues))


def _json_cue(row: object) -> Cue | None:
    """Return a cue (its text may be empty), None where it is malformed."""
    if not isinstance(row, dict):
        return None
    if "timestamp" in row:
        pair, text = row["timestamp"], row.get("text")
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        start = _json_time(pair[0])
        end = math.inf if pair[1] is None else _json_time(pair[1])
    else:
        start, end, text = _json_time(row.get("start")), _json_time(row.get("end")), row.get("line")
    if start is None or end is None or not isinstance(text, str) or not start <= end:
        return None
    return Cue(start, end, clean(text))


def _json_time(value: object) -> float | None:
    if isinstance(value, str):
        match = TIME.fullmatch(value.strip())
        return _seconds(match.groups()) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _by_start(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    return tuple(
        sorted(cues, key=lambda cue: cue.start)
    )  # stable: ties stay in the order of the file


def clean(text: str) -> str:
    """Return a cue's text as one line: no tags, entities resolved, white space collapsed."""
    text = TAG.sub("", text)
    with suppress(ValueError):  # a character reference of thousands of digits stays as it is
        text = html.unescape(text)
    # A lone surrogate cannot be written or tokenised.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())
