"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from vtg_eval.errors import UserError

SUFFIX = ".part"
STALE = 3600.0  # seconds after which a partial file counts as left by a dead process


@contextmanager
def atomic_path(path: Path, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path for a file or folder that replaces `path` at the end.

    Its name is unique in the same folder, so several threads and processes may write one path: the
    last one wins. A pipe or device is yielded as it is. sync: bring all to the disk (fsync) first;
    not needed where readers check the content. Raises OSError; then, as after any exception in the
    block, `path` is unchanged.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    target = path.resolve()  # a link stays a link
    part = target.with_name(f".{token_hex(8)}{SUFFIX}")
    try:
        yield part
        if sync:
            sync_to_disk(part)
        part.replace(target)
    finally:
        _remove(part)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; raises UserError where the disk refuses."""
    with explained(path), atomic_path(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; raises UserError where the disk refuses."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError from writing `path` into a UserError with a remedy."""
    try:
        yield
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror or exc}. Finished work is kept; correct "
            "that, then run the same command again."
        ) from exc


def sync_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with its content, is on the disk; raises OSError."""
    for entry in (path, *path.rglob("*")):
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_partial(name: str) -> bool:
    """Tell whether a name is that of a temporary path, not written to its end."""
    return name.endswith(SUFFIX)


def remove_stale(folder: Path) -> None:
    """Remove a folder's temporary paths whose processes are dead."""
    for path in folder.glob(f".*{SUFFIX}"):
        with suppress(OSError):  # another process was faster
            if time.time() - path.stat().st_mtime > STALE:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
