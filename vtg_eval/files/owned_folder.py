"""A folder that belongs to one piece of work, and to one process at a time.

Whose it is stands in its owner record: a file of its own, written before all others.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import is_partial, remove_stale
from vtg_eval.files.digests import differences
from vtg_eval.files.json_files import plain_json, read_object, write_json

LOCK = "lock"
REMEDY = "Choose another --out."


class FolderInUse(UserError):
    """Another process is at work in the folder."""


@contextmanager
def lock_folder(record: Path, kind: str, others: Collection[str] = ()) -> Iterator[None]:
    """Make the folder that `record` stands in and hold it for this process alone.

    kind, others: as `refuse_strangers` has them. The lock is the kernel's (flock), so a process
    that is killed leaves none. Raises FolderInUse where another process holds the folder, and
    UserError where it cannot be made or holds something else.
    """
    folder = record.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_strangers(record, kind, others)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise UserError(f"{folder} cannot be made: {exc.strerror}. {REMEDY}") from exc
    try:
        _lock(lock, folder)
        remove_stale(folder)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise FolderInUse(
            f"Another vtg-eval process is at work in {folder}. Wait for it to end, or choose "
            "another folder."
        ) from exc


def refuse_strangers(record: Path, kind: str, others: Collection[str] = ()) -> None:
    """Raise UserError where a folder without its owner record holds something else.

    kind: what the folder is, in words. others: names that may stand in it before its record does.
    What a killed process leaves (lock, partial files) may, too.
    """
    names = {entry.name for entry in record.parent.iterdir() if not is_partial(entry.name)}
    strangers = names - {LOCK, *others}
    # asked last: another process may have written the record, then other files, meanwhile
    if strangers and not record.exists():
        raise UserError(f"{record.parent} is no {kind}, but holds {min(strangers)}. {REMEDY}")


def check_owner(record: Path, metadata: Mapping[str, Any]) -> None:
    """Write the owner record of a new folder; raise UserError where it is another work's."""
    if record.is_file():
        require_same(record.parent, read_object(record, REMEDY), metadata)
    else:
        write_json(record, metadata)


def require_same(place: Path | str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UserError that names each difference between what `place` is of and what is asked."""
    changed = differences(before, plain_json(now))
    if changed:
        raise UserError(
            f"{place} was begun with other settings: {', '.join(changed)}. {REMEDY[:-1]}, or go "
            "back to the settings and data that it was begun with."
        )
