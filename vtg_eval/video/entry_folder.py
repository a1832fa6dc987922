"""The entries of the frame store on disk, and which of them are kept within its limit.

Benchmarks are read from end to end, again and again, and may be larger than the limit. So an
entry makes way if it has not been used for long ("stale", see `Usage`), else for one with a smaller
key. Keys are digests, so this keeps the same share of each benchmark in use, in whatever order and
by however many processes it is read. `tests/bench/bench_frame_store.py` compares other policies.

Safe for several processes: entries are written under a temporary name and renamed, read by
memory map (an entry that is evicted stays readable where it is open), and checked when read.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import takewhile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vtg_eval.files.atomic import STALE, atomic_path, is_partial
from vtg_eval.video.entry_file import entry_bytes, read_entry, write_entry
from vtg_eval.video.store_usage import UsageFile

# Stale entries are removed where the store is this full.
NEARLY_FULL = 0.9

Entry = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]
"""Frames, uint8 [T, H, W, 3], and their times, float64 [T], seconds."""
SizedFile = tuple[Path, int]
"""An entry's file and its bytes."""

log = logging.getLogger(__name__)


class EntryFolder:
    """Entries by key, a sha256 in hexadecimal, in a folder for each first two digits."""

    def __init__(self, folder: Path, limit: int | None) -> None:
        """limit: bytes; None: as many as the disk has free beside them when first needed."""
        self.folder = folder
        self._limit = limit
        self._usage = UsageFile(folder / "usage.json")
        self._writable = True

    @cached_property
    def limit(self) -> int:
        """The bytes that all entries may have together. Raises OSError."""
        if self._limit is not None:
            return self._limit
        present = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return (shutil.disk_usage(present).free + self.stored_bytes()) // 2

    def stored_bytes(self) -> int:
        """Return the bytes of all entries, counted where they are not on record. Raises OSError."""
        stored = self._usage.read().stored
        return sum(size for _, size, _ in self._entries()) if stored is None else stored

    def read(self, key: str) -> Entry | None:
        """Return an entry, mapped into memory; None where it is missing or damaged."""
        path = self._path(key)
        try:
            entry = read_entry(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            log.warning("A stored video is damaged (%s) and is decoded again: %s", exc, path)
            return None
        with suppress(OSError):  # evicted meanwhile, or a read-only store
            os.utime(path)  # used now
            self._ask(entry_bytes(entry[0].shape))
        return entry

    def write(self, key: str, entry: Entry) -> None:
        """Keep an entry if there is room for it; a disk that refuses it is warned of once."""
        if not self._writable:
            return
        try:
            self._write(key, entry)
        except OSError as exc:
            self._writable = False
            log.warning(
                "Decoded frames are no longer kept in %s (%s); the run goes on without.",
                self.folder,
                exc.strerror or exc,
            )

    def _write(self, key: str, entry: Entry) -> None:
        path, size = self._path(key), entry_bytes(entry[0].shape)
        if size > self.limit:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ask(size)
        replaced = path.stat().st_size if path.exists() else 0  # damaged, or by another process
        stored = self._usage.read().stored
        if stored is None or stored > self.limit / NEARLY_FULL:  # lost, or the limit was larger
            self._clean()
        # on record first, so that no other process takes the room that is made
        stored = self._usage.add(size - replaced)
        if not self._make_room(key, stored - self.limit):
            self._usage.add(replaced - size)
            return
        with atomic_path(path, sync=False) as part:  # an entry is checked when read
            write_entry(part, *entry)

    def _ask(self, size: int) -> None:
        if self.limit and self._usage.ask(size, self.limit):
            self._clean()

    def _make_room(self, key: str, needed: int) -> bool:
        """Remove `needed` bytes of entries with larger keys, or nothing if they have fewer.

        Returns whether there is room now.
        """
        larger = takewhile(lambda entry: entry[0].stem > key, self._largest_keys())
        chosen = _enough(larger, needed)
        return sum(size for _, size in chosen) >= needed and self._remove(chosen) >= needed

    def _clean(self) -> int:
        """Count all entries and remove those that are stale or too many; return the bytes left."""
        usage = self._usage.read()
        entries = list(self._entries())
        stored = self._usage.count(sum(size for _, size, _ in entries), usage.stored)
        if stored > self.limit * NEARLY_FULL:
            stale = [(path, size) for path, size, used in entries if used < usage.stale]
            stored -= self._remove(stale)
        return stored - self._remove(_enough(self._largest_keys(), stored - self.limit))

    def _remove(self, entries: list[SizedFile]) -> int:
        """Remove entries; return the bytes that are free by that."""
        free = 0
        for path, size in entries:
            with suppress(FileNotFoundError):  # another process was faster, and counts it
                path.unlink()
                self._usage.add(-size)
                free += size
        return free

    def _largest_keys(self) -> Iterator[SizedFile]:
        """Yield entries, the largest key first."""
        for first in range(255, -1, -1):
            for path in sorted((self.folder / f"{first:02x}").glob("*.frames"), reverse=True):
                with suppress(FileNotFoundError):
                    yield path, path.stat().st_size

    def _entries(self) -> Iterator[tuple[Path, int, float]]:
        """Yield all entries with bytes and last use; removes partial files of dead processes."""
        for path in self.folder.glob("*/*"):
            try:
                stat = path.stat()
                if path.suffix == ".frames":
                    yield path, stat.st_size, stat.st_mtime
                elif is_partial(path.name) and time.time() - stat.st_mtime > STALE:
                    path.unlink()
            except OSError:
                continue  # another process was faster

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.frames"


def _enough(entries: Iterable[SizedFile], needed: int) -> list[SizedFile]:
    """Return the first entries that have `needed` bytes together; all if they have fewer."""
    chosen: list[SizedFile] = []
    for entry in entries if needed > 0 else ():
        chosen.append(entry)
        needed -= entry[1]
        if needed <= 0:
            break
    return chosen
