"""JSON files: read as an object, written whole or not at all, without NaN and infinity."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError

Metrics = Mapping[str, float | None]
"""Percent, 0 to 100, unrounded unless the protocol rounds; None where it is not a number."""


def finite(value: float) -> float | None:
    """Return the number, None where it is NaN or infinite: JSON knows neither."""
    return value if math.isfinite(value) else None


def finite_metrics(metrics: Mapping[str, float]) -> Metrics:
    """Return metrics with None for those that are not numbers."""
    return {name: finite(value) for name, value in metrics.items()}


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """Return the JSON object in a file, empty where there is no such file.

    remedy: what the user is told to do about a file that cannot be read. Raises UserError.
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
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it has its old or its new content, whatever happens meanwhile.

    Raises UserError where the disk refuses.
    """
    part = partial_file(path)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be written: {exc.strerror}. What is done so far is kept; mend that, "
            "then run the same command again."
        ) from exc


def partial_file(path: Path) -> Path:
    """Return the file that is written in the place of `path` until it is whole."""
    return path.with_name(f".{path.name}.part")


def checkpoint_table(path: Path) -> dict[str, Any]:
    """Return the JSON object in one of a checkpoint's files, empty where there is no such file.

    Raises UserError for a file that cannot be read.
    """
    return read_object(path, "Fetch the checkpoint again.")
