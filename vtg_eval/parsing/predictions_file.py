"""A user's predictions file: JSON lines `{"id", "text"}` or `{"id", "spans", …}`.

A line that is not a record, a record without a key that is read, and a number that is not finite
raise an error with the line's number. A record with a value of the wrong kind is counted as a
failure, because one bad answer must not hide the score of the others.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from vtg_eval.errors import DataError, UserError
from vtg_eval.failures import Failure
from vtg_eval.files.json_files import RepeatedKeyError, unique_keys
from vtg_eval.types import Prediction, ScoredSpan, Span, SpanList

MAX_SPANS = 1000
MAX_LINE = 64 << 20  # bytes
VALUES = {"id": str, "text": str, "spans": list, "choice": str, "saliency": list}
KEYS = tuple(VALUES)  # those that are read
USUAL_NAMES: Mapping[str, Sequence[str]] = {  # what other tools call these keys
    "id": ("qid", "uid", "vid", "question_id", "sample_id", "index"),
    "text": (
        *("response", "answer", "output", "prediction", "pred", "completion", "generated_text"),
        *("content", "message", "result"),
    ),
    "spans": (
        *("timestamps", "timestamp", "segments", "windows", "moments", "pred_relevant_windows"),
        *("pred_spans", "intervals"),
    ),
    "choice": ("option", "letter", "selected_option"),
    "saliency": ("pred_saliency_scores", "saliency_scores"),
}
MISSPELT = 0.8  # similarity of a key to one that is read, from which on it is taken for a mistake
SHOWN_KEYS = 6
EXAMPLE = 'Write {"id": "…", "text": "…"}.'
RECORD = 'Write one object a line: {"id": "…", "text": "…"}.'
READ = f"The keys that are read: {', '.join(KEYS)}."


def read_predictions(path: Path, allow_non_finite: bool = False) -> tuple[Prediction, ...]:
    """Return the file's records in order, duplicates included; blank lines are skipped.

    allow_non_finite: keep NaN and infinity in spans, scores and saliency; the protocol says what
    they score. Raises DataError that names file and line for a line that is not an object with a
    string "id" and a key that is read, or that has a key twice or a number that is not finite;
    UserError when the file cannot be read or has no record.
    """
    try:
        with path.open("rb") as file:
            predictions = tuple(_predictions(path, file, allow_non_finite))
    except OSError as exc:
        raise UserError(f"The predictions {path} cannot be read: {exc.strerror}.") from exc
    if not predictions:
        raise DataError(f"{path} has no predictions: it is empty. {RECORD}")
    return predictions


def to_prediction(record: object, allow_non_finite: bool = False) -> Prediction:
    """Return a record in memory as a prediction, as from a line of a file; raises DataError.

    Tuples and arrays are lists, numbers of numpy are numbers. A key whose value is None or a single
    NaN, as pandas fills empty cells, is absent.
    """
    if isinstance(record, Prediction):
        return record
    if not isinstance(record, Mapping):
        raise DataError(f"The record {shown(repr(record))} is not an object. {EXAMPLE}")
    plain = {key: _plain(value) for key, value in record.items()}
    kept = {key: value for key, value in plain.items() if key == "id" or not _empty(value)}
    try:
        _check_keys(kept)
        return _prediction(kept, allow_non_finite)
    except DataError as exc:
        raise DataError(f"The record {shown(str(record.get('id')))} {exc}") from exc


def _plain(value: Any) -> Any:
    """Return arrays, tuples and numbers of numpy as lists and numbers of Python."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _predictions(path: Path, file: BinaryIO, allow_non_finite: bool) -> Iterator[Prediction]:
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
        try:
            record = _record(line)
            if record is not None:
                yield _prediction(record, allow_non_finite)
        except DataError as exc:
            raise DataError(f"{path}, line {number} {exc}") from exc


def _record(line: bytes) -> dict[str, Any] | None:
    """Return a line's object, None for a blank line; raises DataError without the line's number."""
    text = _decoded(line).strip()
    if not text:
        return None
    try:
        record = DECODER.decode(text)
    except RepeatedKeyError as exc:
        raise DataError(f"has the key {shown(exc.key)} twice: keep one of them.") from exc
    except RecursionError as exc:
        raise DataError(f"is not JSON: nested too deeply. {RECORD}") from exc
    except ValueError as exc:  # bad JSON, endless digits
        raise DataError(f"is not JSON: {exc}. {RECORD}") from exc
    if not isinstance(record, dict):
        raise DataError(f"is not an object. {RECORD}")
    _check_keys(record)
    return record


def _decoded(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise DataError(f"is longer than {MAX_LINE >> 20} MiB. {RECORD}")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise DataError("has NUL bytes or a mark of UTF-16: save the file as UTF-8.")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"is not UTF-8: {exc.reason} at byte {exc.start + 1}.") from exc


DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


def _check_keys(record: Mapping[str, Any]) -> None:
    """Raise DataError for a record that lacks a key, or has it under another name."""
    if "id" not in record:
        raise DataError(f'has no "id", only {_keys(record)}. {_advice(record, "id")}')
    sample = record["id"]
    if not isinstance(sample, str):
        hint = f': write "{sample}"' if type(sample) is int else ""
        raise DataError(f'has an "id" that is not a string{hint}.')
    others = [key for key in record if key not in KEYS]
    if others and not any(key in record for key in KEYS[1:]):
        raise DataError(f'has an "id" but no answer, only {_keys(record)}. {_advice(record)}')
    for key in others:
        meant = _misspelt(key)
        if meant and meant not in record and isinstance(record[key], VALUES[meant]):
            raise DataError(f'has the key {shown(key)}. Did you mean "{meant}"? {READ}')


def _advice(record: Mapping[str, Any], wanted: str = "") -> str:
    """Return which key the record's author may have meant, and the keys that are read."""
    for key in record:
        meant = _usual(key) or _misspelt(key)
        if meant and meant not in record and wanted in ("", meant):
            return f'Is {shown(key)} the "{meant}"? {READ}'
    return READ


def _usual(key: str) -> str:
    name = key.lower()
    return next((known for known, names in USUAL_NAMES.items() if name in names), "")


@lru_cache
def _misspelt(key: str) -> str:
    close = difflib.get_close_matches(key.strip().lower(), KEYS, n=1, cutoff=MISSPELT)
    return close[0] if close else ""


def _keys(record: Mapping[str, Any]) -> str:
    names = [shown(key) for key in list(record)[:SHOWN_KEYS]]
    left = len(record) - len(names)
    return ", ".join(names) + (f" and {left} more" if left else "") if names else "no key at all"


def shown(key: str) -> str:
    """Return a key or an id from a file, quoted, with escapes, shortened."""
    return json.dumps(key if len(key) <= 40 else f"{key[:39]}…", ensure_ascii=not key.isprintable())


def _prediction(record: Mapping[str, Any], allow_non_finite: bool) -> Prediction:
    """Return a record as a prediction; raises DataError for a number that is not finite."""
    sample = record["id"]
    spans = record.get("spans")
    if isinstance(spans, list) and len(spans) > MAX_SPANS:
        return Prediction(sample, failure=Failure.TOO_MANY_SPANS)
    saliency = record.get("saliency")
    if not allow_non_finite:
        _refuse_non_finite("spans", (item for row in _items(spans) for item in _items(row)))
        _refuse_non_finite("saliency", _items(saliency))
    try:
        return Prediction(
            id=sample,
            text=_text(record.get("text")),
            spans=None if spans is None else _spans([_row(row) for row in _list(spans)]),
            choice=_text(record.get("choice")),
            saliency=None if saliency is None else tuple(map(_number, _list(saliency))),
        )
    except TypeError:
        return Prediction(sample, failure=Failure.MALFORMED)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _refuse_non_finite(key: str, values: Iterable[Any]) -> None:
    for value in values:
        if not _is_finite(value):
            raise DataError(
                f'has a number in "{key}" that is NaN or infinite: write null in place of the '
                f'"{key}" of an answer without any. `vtg-eval score --allow-non-finite` scores '
                "such numbers as the protocol's source does."
            )


def _is_finite(value: Any) -> bool:
    """Tell whether a value is no number, or a finite one; a string may stand for a number."""
    if type(value) is float:
        return math.isfinite(value)
    if not isinstance(value, int | str):
        return True
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
    except ValueError:  # text that stands for no number
        return True


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
