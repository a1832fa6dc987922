"""Threads that are used again, and do not keep the process from ending."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread


class DaemonThreads:
    """Runs calls at once, in a thread that is free or else in a new one.

    A thread per call would be simpler. But each new thread may get an arena of its own from the C
    library, which keeps what was freed in it, so the process grows with the number of calls.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = Lock()
        self._free = self._started = 0
        self._closed = False

    def run(self, call: Callable[[], None]) -> None:
        """Start the call, which must not raise; nothing happens after `close`."""
        with self._lock:
            if self._closed:
                return
            has_free = self._free > 0
            self._free -= has_free
            self._started += not has_free
            self._calls.put(call)
        if not has_free:
            Thread(target=self._work, name=self._name, daemon=True).start()

    def close(self) -> None:
        """Let the threads end after their present calls."""
        with self._lock:
            self._closed = True
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # with what it holds, while the thread waits
            with self._lock:
                self._free += 1
