"""Reading annotation files: every malformed value names its file, its record and its key."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtg_eval.errors import DataError
from vtg_eval.types import Span


@dataclass(frozen=True, slots=True)
class AnnotationRecord:
    """One record of an annotation file. `where` names it: "FILE, line 3" or "FILE, key abc"."""

    where: str
    table: Mapping[str, Any]

    def text(self, key: str) -> str:
        """Return a string; a number becomes one."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(key, "text")
        return str(value)

    def seconds(self, key: str) -> float:
        """Return a finite number (of seconds, frames or anything else)."""
        number = _number(self._value(key))
        if number is None:
            raise self._wrong(key, "a finite number")
        return number

    def whole(self, key: str) -> int:
        """Return an integer."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "an integer")
        return value

    def optional_seconds(self, key: str) -> float | None:
        """Return a finite number, None where the key is absent or null."""
        return None if self.table.get(key) is None else self.seconds(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings (numbers become strings)."""
        values = self._list(key)
        if any(isinstance(v, bool) or not isinstance(v, str | int | float) for v in values):
            raise self._wrong(key, "a list of texts")
        return tuple(map(str, values))

    def span(self, key: str) -> Span:
        """Return one [start, end]; neither sorted nor clamped."""
        span = _span(self._value(key))
        if span is None:
            raise self._wrong(key, "a pair of finite numbers")
        return span

    def spans(self, key: str) -> tuple[Span, ...]:
        """Return a list of [start, end]; neither sorted nor clamped."""
        values = self._list(key)
        spans = tuple(span for value in values if (span := _span(value)) is not None)
        if len(spans) < len(values):
            raise self._wrong(key, "a list of pairs of finite numbers")
        return spans

    def records(self, key: str) -> tuple[AnnotationRecord, ...]:
        """Return a list of objects as records."""
        return tuple(
            _record(f"{self.where}, {key}[{number}]", value)
            for number, value in enumerate(self._list(key))
        )

    def _list(self, key: str) -> Sequence[Any]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _value(self, key: str) -> Any:
        if key not in self.table:
            raise DataError(f'{self.where} has no "{key}".')
        return self.table[key]

    def _wrong(self, key: str, expected: str) -> DataError:
        value = repr(self.table[key])
        return DataError(f'{self.where}: "{key}" must be {expected}, not {value[:60]}.')


def read_list(path: Path) -> tuple[AnnotationRecord, ...]:
    """Return the objects of a JSON list; raises DataError."""
    value = _json(path)
    if not isinstance(value, list):
        raise DataError(f"{path} is not a JSON list.")
    return tuple(_record(f"{path}, item {number}", item) for number, item in enumerate(value))


def read_table(path: Path) -> dict[str, AnnotationRecord]:
    """Return the objects of a JSON object, by key and in file order; raises DataError."""
    value = _json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object.")
    return {key: _record(f"{path}, key {key}", item) for key, item in value.items()}


def read_lines(path: Path) -> Iterator[AnnotationRecord]:
    """Yield the objects of a file of JSON lines; blank lines are skipped. Raises DataError."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{path}, line {number}"
                yield _record(where, _parsed(where, line))


def read_csv(path: Path) -> Iterator[AnnotationRecord]:
    """Yield the rows of a CSV file with a header line, all values as text. Raises DataError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                yield AnnotationRecord(f"{path}, line {rows.line_num}", row)
        except (csv.Error, UnicodeDecodeError) as exc:
            raise DataError(f"{path} is not a CSV file: {exc}") from exc


def _json(path: Path) -> Any:
    return _parsed(str(path), path.read_bytes())


def _parsed(where: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        reason = "nested too deeply" if isinstance(exc, RecursionError) else exc
        raise DataError(f"{where} is not JSON: {reason}") from exc


def _record(where: str, value: Any) -> AnnotationRecord:
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object.")
    return AnnotationRecord(where, value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _span(value: Any) -> Span | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    start, end = (_number(item) for item in value)
    return None if start is None or end is None else Span(start, end)
