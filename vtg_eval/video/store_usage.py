"""How much the frame store holds, and how much was asked of it lately: one small file.

All processes that use the store share it. Nothing depends on it being right: a lost, damaged or
wrong record is corrected when the entries are next counted.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

# An entry is stale that was last used more rounds ago.
ROUNDS = 4
# The file's length, in bytes: written in place, since to cut a file short costs milliseconds.
LENGTH = 512

Bytes = Annotated[int, Meta(ge=0, le=1 << 62)]


@dataclass(frozen=True, slots=True)
class Usage:
    """stored: bytes of all entries; None: unknown, they must be counted.

    A round is over when as many bytes were asked for as the store may hold. asked: bytes in this
    round. rounds: when the last ones began, seconds since the epoch, the oldest first.
    """

    stored: Bytes | None = None
    asked: Bytes = 0
    rounds: tuple[float, ...] = ()

    @property
    def stale(self) -> float:
        """Entries that were last used before this time (seconds since the epoch) are stale."""
        return self.rounds[0] if len(self.rounds) > ROUNDS else float("-inf")


class UsageFile:
    """The record on disk; all methods raise OSError where it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Usage:
        """Return the record, an empty one where there is none."""
        try:
            with self._path.open("rb") as file:
                return _parsed(file.read(LENGTH))
        except FileNotFoundError:
            return Usage()

    def ask(self, size: int, limit: int) -> bool:
        """Add bytes that were asked for; return whether that ends a round, for one process only."""
        after = self._update(lambda usage: _asked(usage, size, limit))
        return after.asked == 0

    def add(self, size: int) -> int:
        """Add bytes that are stored, or removed where below 0; return all on record then."""
        after = self._update(
            lambda usage: usage if usage.stored is None else _stored(usage, usage.stored + size)
        )
        return after.stored or 0

    def count(self, size: int, before: int | None) -> int:
        """Note the bytes of all entries, and return what is on record then.

        before: what was on record when they were listed; what was added since counts too.
        """

        def counted(usage: Usage) -> Usage:
            if usage.stored is None:
                return _stored(usage, size)
            if before is None:  # another process has counted meanwhile
                return usage
            return _stored(usage, size + usage.stored - before)

        return self._update(counted).stored or 0

    def _update(self, change: Callable[[Usage], Usage]) -> Usage:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with suppress(OSError):  # a file system without locks: some bytes are not counted
                fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
            usage = change(_parsed(os.pread(file, LENGTH, 0)))
            os.pwrite(file, msgspec.json.encode(usage).ljust(LENGTH), 0)
        finally:
            os.close(file)
        return usage


def _parsed(content: bytes) -> Usage:
    try:
        return msgspec.json.decode(content, type=Usage)
    except msgspec.DecodeError:
        return Usage()


def _asked(usage: Usage, size: int, limit: int) -> Usage:
    asked = usage.asked + size
    if asked < limit:
        return replace(usage, asked=asked)
    return replace(usage, asked=0, rounds=(*usage.rounds, time.time())[-ROUNDS - 1 :])


def _stored(usage: Usage, size: int) -> Usage:
    return replace(usage, stored=max(size, 0))
