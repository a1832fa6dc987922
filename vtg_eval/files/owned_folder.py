"""A folder that belongs to one piece of work, and to one process at a time.

Its owner record, a file that is written before all others, identifies the work.
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
    """Make the folder of `record` and lock it for this process alone.

    kind, others: as for `refuse_strangers`. The lock is the kernel's (flock), so a killed
    process leaves none. Raises FolderInUse where another process has the lock, and UserError where
    the folder cannot be made or contains other files.
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
    except OSError as exc:
        raise UserError(
            f"{folder} cannot be locked: {exc.strerror}. Its file system has no locks (flock): "
            f"mount it with them. {REMEDY}"
        ) from exc


def refuse_strangers(record: Path, kind: str, others: Collection[str] = ()) -> None:
    """Raise UserError where a folder without an owner record contains other files.

    kind: the folder's kind, for the message. others: names that may exist before the record. So may
    the lock and partial files, which a killed process leaves.
    """
    names = {entry.name for entry in record.parent.iterdir() if not is_partial(entry.name)}
    strangers = names - {LOCK, *others}
    # checked last: meanwhile another process may have written the record and other files
    if strangers and not record.exists():
        raise UserError(f"{record.parent} is no {kind}, but holds {min(strangers)}. {REMEDY}")


def check_owner(record: Path, metadata: Mapping[str, Any]) -> None:
    """Write the owner record of a new folder; raise UserError where the existing one differs."""
    if record.is_file():
        require_same(record.parent, read_object(record, REMEDY), metadata)
    else:
        write_json(record, metadata)


def require_same(owner: Path | str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UserError that names each difference in the settings of a folder or stage."""
    changed = differences(before, plain_json(now))
    if changed:
        raise UserError(
            f"{owner} was begun with other settings: {', '.join(changed)}. {REMEDY[:-1]}, or go "
            "back to the settings and data that it was begun with."
        )
