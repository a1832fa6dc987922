"""Calls that end, as far as the caller is concerned, after a time limit."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")


class TimeLimit(Generic[Result]):
    """Makes calls, one at a time, in a thread of its own; a call that takes too long is given up.

    Python cannot end a thread, so a call that is given up goes on in its thread until it ends by
    itself; the next call gets another thread. These threads do not keep the process from exiting.
    A call that holds the interpreter's lock throughout, within one C function, cannot be given up.
    A call costs some 40 µs more than without a limit.
    """

    def __init__(self, seconds: float, what: str) -> None:
        """what: names the calls in the message of the error."""
        self._seconds = seconds
        self._what = what
        self._calls: SimpleQueue[Callable[[], Result] | None] | None = None
        self._results: SimpleQueue[Result | BaseException] = SimpleQueue()

    def call(self, function: Callable[[], Result]) -> Result:
        """Return what the function returns and raise what it raises; raises TimeoutError."""
        if self._calls is None:
            self._calls, self._results = SimpleQueue(), SimpleQueue()
            Thread(target=_serve, args=(self._calls, self._results), daemon=True).start()
        self._calls.put(function)
        try:
            outcome = self._results.get(timeout=self._seconds)
        except BaseException as exc:
            self.close()  # what this call returns must not reach the next one
            if isinstance(exc, Empty):
                raise TimeoutError(f"{self._what} took longer than {self._seconds:g} s") from None
            raise
        if isinstance(outcome, BaseException):
            try:
                raise outcome
            finally:
                del outcome  # its traceback would keep the call's arguments in memory
        return outcome

    def close(self) -> None:
        """Let the thread end after its present call."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(
    calls: SimpleQueue[Callable[[], Result] | None],
    results: SimpleQueue[Result | BaseException],
) -> None:
    while (function := calls.get()) is not None:
        try:
            results.put(function())
        except BaseException as exc:  # handed to the caller
            results.put(exc)
        del function  # with the frames in it, while the thread waits
