"""JSON files: read as an object, written atomically, without NaN and infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text

Metrics = Mapping[str, float | None]
"""Percent, 0 to 100, unrounded unless the protocol rounds; None where it is not a number."""


class RepeatedKeyError(Exception):
    """An object of a JSON text has the same key twice; `key` is the first such key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's pairs as a table, for `object_pairs_hook`; raises RepeatedKeyError."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise RepeatedKeyError(next(key for key in table if keys.count(key) > 1))
    return table


def finite(value: float) -> float | None:
    """Return the number, None where it is NaN or infinite: JSON knows neither."""
    return value if math.isfinite(value) else None


def finite_metrics(metrics: Mapping[str, float]) -> Metrics:
    """Return metrics with None for those that are not numbers."""
    return {name: finite(value) for name, value in metrics.items()}


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """Return the JSON object in a file, empty where there is no such file.

    remedy: a sentence on what to do about a file that cannot be read. Raises UserError.
    """
    if not path.exists():
        return {}
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise UserError(f"{path} cannot be read: {exc}. {remedy}") from exc
    if not isinstance(value, dict):
        raise UserError(f"{path} does not hold a JSON object. {remedy}")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; raises UserError where the disk refuses."""
    write_text(path, indented(value, ascii_only=False) + "\n")


def indented(value: Any, ascii_only: bool = True) -> str:
    """Return what `json.dumps(value, indent=2)` does, faster for large values.

    ascii_only: escape all other characters. Raises ValueError for NaN and infinity.
    """
    import msgspec  # imported here: most commands write no JSON

    try:
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # half a surrogate pair
        return json.dumps(value, indent=2, ensure_ascii=ascii_only, allow_nan=False)


def plain_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object as if written to a file and read back."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def checkpoint_table(path: Path) -> dict[str, Any]:
    """Return the JSON object in one of a checkpoint's files, empty where there is no such file.

    Raises UserError for a file that cannot be read.
    """
    return read_object(path, "Fetch the checkpoint again.")
