"""The journal: one JSON line per answer, appended, never rewritten.

A line is written with a single call and so survives a killed process; lines are brought to the
disk (fsync) every half second. A line that a crash left incomplete is removed when the journal is
next opened, and its sample is asked again.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from vtg_eval.errors import UserError
from vtg_eval.failures import Finish

BUFFER = 1 << 20  # bytes read at a time; a line has thousands
SYNC_SECONDS = 0.5  # what a power cut can cost is the time to ask again, however many lines


@dataclass(frozen=True, slots=True)
class Record:
    """One line: the model's input and its answer.

    `error` is the reason why there is no answer. `prompt` is the prompt's sha256.
    `frame_times` and `model_times` are seconds, `height` and `width` px, `frames` the frame
    store's digest. `escaped` counts the special tokens escaped in the sample's text. `seconds`
    runs from request to answer. `cached_tokens`: as in `Completion`.
    """

    id: str
    video: str
    finish: Finish
    text: str = ""
    error: str | None = None
    prompt: str | None = None
    frame_times: tuple[float, ...] = ()
    model_times: tuple[float, ...] = ()
    height: int | None = None
    width: int | None = None
    decoder: str | None = None
    frames: str | None = None
    escaped: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    seconds: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether the model gave an answer."""
        return self.finish in (Finish.STOP, Finish.LENGTH)

    @property
    def final(self) -> bool:
        """Whether the next run need not send the sample again.

        The answer would be the same where the logits were not finite or the model refused.
        """
        return self.answered or self.finish in (Finish.NON_FINITE, Finish.REFUSED)

    @property
    def failed(self) -> bool:
        """Whether there is no answer, and the model did not refuse to give one."""
        return not self.answered and self.finish is not Finish.REFUSED

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        table: dict[str, Any] = msgspec.to_builtins(self)
        return table

    def to_line(self) -> bytes:
        """Return the line, ASCII, with its line feed."""
        return ENCODER.encode(self.to_json()).encode("ascii") + b"\n"


# not msgspec's: it writes floats and other characters than ASCII another way
ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
DECODER = msgspec.json.Decoder(Record)  # ten times as fast as json and Record(**table)
TIMES = (b',"frame_times":[', b',"model_times":[')
OLD_NAME = b',"told_times":['  # of model_times, in journals up to version 0.1


def parse_line(line: bytes) -> Record | None:
    """Return a line's record, None where it is incomplete or no record."""
    line = line.replace(OLD_NAME, TIMES[1])
    try:
        return DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return _lenient(line)


def _lenient(line: bytes) -> Record | None:
    """Read a line that msgspec refuses: a model's text may have half a surrogate pair."""
    try:
        return msgspec.convert(json.loads(line), Record)
    except (ValueError, RecursionError):
        return None


class Contents(NamedTuple):
    """A journal's content: the last record of each sample, and how many lines are damaged."""

    records: dict[str, Record]
    damaged: int


def read_contents(path: Path, times: bool = True) -> Contents:
    """Return the journal's records and the number of lines that are none; no file has neither.

    A last line without its line feed, as a crash leaves it, is not counted as damaged.
    times: whether to read frame times and model times, which are most of the file.
    """
    if not path.is_file():
        return Contents({}, 0)
    records: dict[str, Record] = {}
    of_video: dict[str | None, Record] = {}
    damaged = 0
    with path.open("rb", buffering=BUFFER) as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            record = parse_line(line if times else _without_times(line))
            if record is not None:
                records[record.id] = _shared(record, of_video)
            elif line.strip():
                damaged += 1
    return Contents(records, damaged)


def read_journal(path: Path, times: bool = True) -> dict[str, Record]:
    """Return the records of `read_contents` alone."""
    return read_contents(path, times).records


class Journal:
    """An open journal: removes an incomplete last line, then appends.

    A failure to write is raised as a UserError with a remedy; earlier records stay.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.ftruncate(self._file, _whole_bytes(path))
            os.lseek(self._file, 0, os.SEEK_END)
        except OSError as exc:
            raise self._stopped(exc) from exc
        self._synced_at = time.monotonic()

    def append(self, record: Record) -> None:
        """Write one record; it survives this process from here on."""
        data = memoryview(record.to_line())
        try:
            while data:
                data = data[os.write(self._file, data) :]
            if time.monotonic() - self._synced_at >= SYNC_SECONDS:
                self.sync()
        except OSError as exc:
            raise self._stopped(exc) from exc

    def sync(self) -> None:
        """Bring the appended records to the disk (fsync)."""
        os.fsync(self._file)
        self._synced_at = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.sync()
        except OSError as exc:
            raise self._stopped(exc) from value
        finally:
            os.close(self._file)

    def _stopped(self, exc: OSError) -> UserError:
        return UserError(
            f"The journal {self.path} cannot be written: {exc.strerror}. Its records are kept; "
            "correct that, then run the same command again to finish."
        )


def _without_times(line: bytes) -> bytes:
    """Return the line with its arrays of times empty.

    Within a JSON string a quote has a backslash before it, so a match is always a key.
    """
    line = line.replace(OLD_NAME, TIMES[1])
    for key in TIMES:
        start = line.find(key)
        end = line.find(b"]", start)
        if start >= 0 and end >= 0:
            line = line[: start + len(key)] + line[end:]
    return line


def _shared(record: Record, of_video: dict[str | None, Record]) -> Record:
    """Return the record with the very times of an earlier one of the same frames, if equal.

    A thousand times take 50 kB; a run has as many records of the same frames as questions.
    """
    first = of_video.setdefault(record.frames, record)
    times = first.frame_times, first.model_times
    if first is record or (record.frame_times, record.model_times) != times:
        return record
    return replace(record, frame_times=times[0], model_times=times[1])


def _whole_bytes(path: Path) -> int:
    """Return the number of bytes up to and including the last line feed."""
    step = 1 << 16
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - step)
            file.seek(start)
            cut = file.read(end - start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
    return 0
