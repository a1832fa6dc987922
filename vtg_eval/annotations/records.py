"""Reading annotation files: every malformed value names its file, its record and its key."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtg_eval.annotations.text import read_text, text_lines
from vtg_eval.errors import DataError
from vtg_eval.files.json_files import RepeatedKeyError, unique_keys
from vtg_eval.types import LONGEST, SHORTEST, Span

DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: no file can hold it
LONG_NUMBER = 400  # digits; longer ones stay text, as no number can hold them
SHOWN = 60  # characters of a value in a message
# A string, with the colon that makes it a key; or where an object begins or ends.
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?|[{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class AnnotationRecord:
    """One record of an annotation file. `where` names it: "FILE, line 3" or "FILE, key abc"."""

    where: str
    table: Mapping[str, Any]

    def text(self, key: str) -> str:
        """Return a string; a number becomes one."""
        text = _text(self._value(key))
        if text is None:
            raise self.wrong(key, "text")
        return text

    def seconds(self, key: str) -> float:
        """Return a number of seconds or frames, of at most LONGEST, also below 0."""
        number = finite_number(self._value(key))
        if number is None or abs(number) > LONGEST:
            raise self.wrong(key, f"a number of at most {LONGEST:g}")
        return number

    def duration(self, key: str) -> float:
        """Return a video's length in seconds, from SHORTEST to LONGEST."""
        number = finite_number(self._value(key))
        if number is None or not SHORTEST <= number <= LONGEST:
            raise self.wrong(key, f"a length from {SHORTEST:g} to {LONGEST:g} s")
        return number

    def whole(self, key: str) -> int:
        """Return an integer of at most LONGEST, also below 0."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LONGEST:
            raise self.wrong(key, f"an integer of at most {LONGEST:g}")
        return value

    def optional_seconds(self, key: str) -> float | None:
        """Return a number as `seconds` does, None where the key is absent or null."""
        return None if self.table.get(key) is None else self.seconds(key)

    def optional_duration(self, key: str) -> float | None:
        """Return a video's length in seconds, None where the key is absent or null."""
        return None if self.table.get(key) is None else self.duration(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings (numbers become strings)."""
        values = self.values(key)
        texts = tuple(text for value in values if (text := _text(value)) is not None)
        if len(texts) < len(values):
            raise self.wrong(key, "a list of texts")
        return texts

    def span(self, key: str) -> Span:
        """Return one [start, end]; neither sorted nor clamped."""
        span = _span(self._value(key))
        if span is None:
            raise self.wrong(key, f"a pair of numbers of at most {LONGEST:g}")
        return span

    def spans(self, key: str) -> tuple[Span, ...]:
        """Return a list of [start, end]; neither sorted nor clamped."""
        values = self.values(key)
        spans = tuple(span for value in values if (span := _span(value)) is not None)
        if len(spans) < len(values):
            raise self.wrong(key, f"a list of pairs of numbers of at most {LONGEST:g}")
        return spans

    def records(self, key: str) -> tuple[AnnotationRecord, ...]:
        """Return a list of objects as records."""
        return tuple(
            _record(f"{self.where}, {shown(key)}[{number}]", value)
            for number, value in enumerate(self.values(key))
        )

    def record(self, key: str) -> AnnotationRecord:
        """Return an object as a record."""
        value = self._value(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return AnnotationRecord(f"{self.where}, {shown(key)}", value)

    def values(self, key: str) -> Sequence[Any]:
        """Return a list, its values as they are."""
        value = self._value(key)
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def _value(self, key: str) -> Any:
        if key not in self.table:
            raise DataError(f'{self.where} has no "{shown(key)}".')
        return self.table[key]

    def wrong(self, key: str, expected: str) -> DataError:
        """Return the error of a value that is not what it must be."""
        try:
            value = repr(self.table[key])[:SHOWN]
        except RecursionError:
            value = "something nested too deeply"
        return DataError(f'{self.where}: "{shown(key)}" must be {expected}, not {value}.')


def read_list(path: Path) -> tuple[AnnotationRecord, ...]:
    """Return the objects of a JSON list; raises DataError."""
    value = _parsed(path, read_text(path))
    if not isinstance(value, list):
        raise DataError(f"{path} is not a JSON list.")
    return tuple(_record(f"{path}, item {number}", item) for number, item in enumerate(value))


def read_object(path: Path) -> AnnotationRecord:
    """Return the object that a JSON file holds as one record; raises DataError."""
    value = _parsed(path, read_text(path))
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object.")
    return AnnotationRecord(str(path), value)


def read_table(path: Path) -> dict[str, AnnotationRecord]:
    """Return the objects of a JSON object, by key and in file order; raises DataError."""
    table = read_object(path).table
    return {key: _record(f"{path}, key {shown(key)}", item) for key, item in table.items()}


def read_lines(path: Path) -> Iterator[AnnotationRecord]:
    """Yield the objects of a file of JSON lines; blank lines are skipped. Raises DataError."""
    for number, line in text_lines(path):
        yield _record(f"{path}, line {number}", _parsed(path, line, number))


def read_csv(path: Path) -> Iterator[AnnotationRecord]:
    """Yield the rows of a CSV file with a header line, all values as text. Raises DataError."""
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    last = 0  # the line that the latest row ends with
    try:
        columns = rows.fieldnames or ()
        if not columns or len(set(columns)) < len(columns):
            raise DataError(f"{path} must begin with a line of different column names.")
        for row in rows:
            last = rows.line_num
            cells = [row[name] for name in columns]
            if None not in row and not any(cell and cell.strip() for cell in cells):
                continue  # a blank line
            if None in row or None in cells:
                raise DataError(f"{path}, line {last} does not have {len(columns)} values.")
            yield AnnotationRecord(f"{path}, line {last}", row)
    except csv.Error as exc:
        raise DataError(f"{path}, line {last + 1} begins a row that is not CSV: {exc}.") from exc


def finite_number(value: Any) -> float | None:
    """Return a number, also one written as text in decimal digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not DECIMAL.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def shown(text: str) -> str:
    """Return a text as a message shows it: short, and without what a terminal obeys."""
    plain = text if text.isprintable() else repr(text)
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]}…"


def _parsed(path: Path, text: str, line: int = 1) -> Any:
    """Return the value of JSON text that begins at that line of the file; raises DataError."""
    if not text.strip():
        raise DataError(f"{path} is empty: fetch it again.")
    try:
        return DECODER.decode(text)
    except RepeatedKeyError as exc:
        key, below = _repeated_key(text)
        raise DataError(
            f'{path}, line {line + below}: the key "{shown(key)}" is there twice in one object. '
            "Remove one of the two."
        ) from exc
    except json.JSONDecodeError as exc:
        place = f"{path}, line {line + exc.lineno - 1}"
        raise DataError(f"{place} is not JSON: {exc.msg} (column {exc.colno}).") from exc
    except RecursionError as exc:
        raise DataError(f"{path}, line {line} is not JSON: nested too deeply.") from exc


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONG_NUMBER else digits


DECODER = json.JSONDecoder(object_pairs_hook=unique_keys, parse_int=_integer)


def _repeated_key(text: str) -> tuple[str, int]:
    """Return the first key that an object has twice, and how many lines below the first it is."""
    objects: list[set[str]] = []
    for token in TOKEN.finditer(text):
        if token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[2]:
            key = json.loads(f'"{token[1]}"')
            if key in objects[-1]:
                return key, text.count("\n", 0, token.start())
            objects[-1].add(key)
    raise AssertionError("the decoder found a key twice")


def _record(where: str, value: Any) -> AnnotationRecord:
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object.")
    return AnnotationRecord(where, value)


def _text(value: Any) -> str | None:
    """Return a string, or a number as one; None for what is neither, or half a character."""
    if isinstance(value, str):
        return value if value.isascii() or not SURROGATE.search(value) else None
    return None if finite_number(value) is None else str(value)


def _span(value: Any) -> Span | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    start, end = (finite_number(item) for item in value)
    if start is None or end is None or max(abs(start), abs(end)) > LONGEST:
        return None
    return Span(start, end)
