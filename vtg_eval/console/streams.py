"""Standard output for a command's results alone; everything else goes to standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

from vtg_eval.console.text import visible_lines

STDOUT, STDERR = 1, 2
# The standard output of each command that is running, the innermost last.
_reserved: list[TextIO] = []


class ReaderGoneError(BrokenPipeError):
    """Nobody reads standard output any more (`| head`)."""


class _Results(io.TextIOWrapper):
    """Standard output, which tells its own closed pipe from those of others."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError as exc:
            raise ReaderGoneError from exc

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError as exc:
            raise ReaderGoneError from exc


def results() -> TextIO:
    """Return the stream for results: standard output, also while it is reserved."""
    return _reserved[-1] if _reserved else sys.stdout


def show(text: str, file: TextIO | None = None) -> None:
    """Write lines for people, as results where no other file is named; none is invisible."""
    print(visible_lines(text), file=file or results(), flush=True)


def warn(line: str, program: str = "vtg-eval") -> None:
    """Write a line to standard error; the work goes on, also where nobody reads it."""
    with suppress(OSError, ValueError):
        print(f"{program}: {visible_lines(line)}", file=sys.stderr, flush=True)


def reserve_stdout() -> Callable[[], None]:
    """Reserve standard output for `results()`; return what undoes it.

    From here on, what else is printed goes to standard error: by Python code, by libraries in
    other languages, and by child processes.
    """
    _open_missing()
    printed, sys.stdout = sys.stdout, sys.stderr
    if not _has_number(printed, STDOUT):  # it is a program's own stream, as in tests
        _reserved.append(printed)
        return lambda: _undo(printed)
    printed.flush()
    number = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    # a character that the terminal's encoding lacks is escaped, too
    file = os.fdopen(number, "wb")
    _reserved.append(_Results(file, encoding=printed.encoding, errors="backslashreplace"))
    return lambda: _undo(printed, number)


def flush_results() -> None:
    """Write what is left; where that fails, it is dropped, so that it does not fail at exit."""
    try:
        results().flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), results().fileno())
        raise


class _Watched(io.TextIOBase):
    """Appends what is printed to a list; with None in its place, prints to standard error.

    A logger may hold this stream for longer than it is watched.
    """

    def __init__(self, printed: list[str]) -> None:
        self.printed: list[str] | None = printed

    def write(self, text: str) -> int:
        if self.printed is None:
            return sys.stderr.write(text)
        self.printed.append(text)
        return len(text)


@contextmanager
def watched_stdout() -> Iterator[list[str]]:
    """Yield the list of what is printed to standard output in the block."""
    printed: list[str] = []
    stream = _Watched(printed)
    try:
        with redirect_stdout(stream):
            yield printed
    finally:
        stream.printed = None


def _undo(printed: TextIO, number: int | None = None) -> None:
    stream = _reserved.pop()
    sys.stdout = printed
    if number is not None:
        os.dup2(number, STDOUT)
        stream.close()


def _has_number(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


def _open_missing() -> None:
    """Open the standard streams that the caller closed, so that no other file gets their number."""
    for number in (0, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for the process
