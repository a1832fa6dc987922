"""A folder that belongs to one piece of work, and to one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.files.digests import differences
from vtg_eval.files.json_files import write_json

LOCK = "lock"


class Busy(UserError):
    """Another process is at work in the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it; raises Busy where another process does, UserError where it
    cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise UserError(f"{folder} cannot be made: {exc.strerror}. Choose another --out.") from exc
    try:
        _lock(lock, folder)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise Busy(
            f"Another process is at work in {folder}. Wait for it, or choose another --out."
        ) from exc


def own(path: Path, facts: Mapping[str, Any]) -> None:
    """Write down whose the file's folder is, or see that it is the same's.

    Raises UserError that names what differs, and for a folder that holds something else.
    """
    if path.is_file():
        same(path.parent, read(path), facts)
        return
    strangers = {entry.name for entry in path.parent.iterdir()} - {LOCK, f".{path.name}.part"}
    if strangers:
        raise UserError(
            f"{path.parent} is no folder of this stage, but holds {min(strangers)}. "
            "Choose another --out."
        )
    write_json(path, facts)


def same(place: Path | str, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UserError that names what differs between what made `place` and what is asked."""
    changed = differences(there, as_read(now))
    if changed:
        raise UserError(
            f"{place} was made by another recipe: {', '.join(changed)}. Choose another --out, or "
            "go back to the recipe and the data that it was begun with."
        )


def as_read(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as they are once they were written to a file and read back."""
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def read(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, empty where there is none; raises UserError."""
    if not path.exists():
        return {}
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise UserError(f"{path} cannot be read: {exc}. Choose another --out.") from exc
    if not isinstance(table, dict):
        raise UserError(f"{path} is not what a stage leaves. Choose another --out.")
    return table
