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
STALE = 3600.0  # age in seconds from which a partial file was left by a process that died


@contextmanager
def atomic_path(path: Path, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path for a file or folder that takes the place of `path` at the end.

    Its name is unique in the same folder, so several threads and processes may write one path: the
    last one wins. A pipe or device is yielded as it is. sync: bring all to the disk (fsync) first;
    not needed where whoever reads checks the content. Raises OSError; then, as after any exception
    in the block, `path` is what it was.
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
    """Turn an OSError from writing `path` into UserError that says what to do."""
    try:
        yield
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror or exc}. What is done so far is kept; mend "
            "that, then run the same command again."
        ) from exc


def sync_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk; raises OSError."""
    for each in (path, *path.rglob("*")):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_partial(name: str) -> bool:
    """Tell whether a name is that of something that was not written to its end."""
    return name.endswith(SUFFIX)


def remove_stale(folder: Path) -> None:
    """Remove the temporary paths in a folder whose processes died."""
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
