"""A user's predictions file: JSON lines `{"id", "text"}` or `{"id", "spans", …}`.

A line that is not a record raises an error with its number. A record with malformed values is
counted as a failure, because one bad answer must not hide the score of the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vtg_eval.errors import DataError, UserError
from vtg_eval.failures import Failure
from vtg_eval.types import Prediction, ScoredSpan, Span, SpanList

MAX_SPANS = 1000


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Return the file's records in order, duplicates included; blank lines are skipped.

    Raises DataError that names file and line for a line that is not a JSON object with a
    string "id", UserError when the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            return tuple(_records(path, lines))
    except OSError as exc:
        raise UserError(f"The predictions {path} cannot be read: {exc.strerror}.") from exc


def _records(path: Path, lines: Iterable[bytes]) -> Iterator[Prediction]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _prediction(_record(path, number, line))


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    where = f"{path}, line {number}"
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:  # bad UTF-8, bad JSON, endless nesting or digits
        reason = "nested too deeply" if isinstance(exc, RecursionError) else exc
        raise DataError(f"{where} is not JSON: {reason}") from exc
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        raise DataError(f'{where} is not an object with a string "id".')
    return record


def _prediction(record: dict[str, Any]) -> Prediction:
    sample = record["id"]
    spans = record.get("spans")
    if isinstance(spans, list) and len(spans) > MAX_SPANS:
        return Prediction(sample, failure=Failure.TOO_MANY_SPANS)
    try:
        saliency = record.get("saliency")
        return Prediction(
            id=sample,
            text=_text(record.get("text")),
            spans=None if spans is None else _spans([_row(row) for row in _list(spans)]),
            choice=_text(record.get("choice")),
            saliency=None if saliency is None else tuple(map(_number, _list(saliency))),
        )
    except TypeError:
        return Prediction(sample, failure=Failure.MALFORMED)


def _spans(rows: list[list[float]]) -> SpanList:
    """Return the spans; raises TypeError where only some have a score."""
    if len({len(row) for row in rows}) > 1:
        raise TypeError("either every span has a score or none")
    if rows and len(rows[0]) == 3:
        return tuple(ScoredSpan(*row) for row in rows)
    return tuple(Span(*row) for row in rows)


def _row(value: Any) -> list[float]:
    row = [_number(item) for item in _list(value)]
    if len(row) not in (2, 3):
        raise TypeError("a span is [start, end] or [start, end, score]")
    return row


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("not a string")
    return value
