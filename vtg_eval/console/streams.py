"""Standard output for a command's results alone; everything else goes to standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def show(text: str) -> None:
    """Write lines of results for people: no character in them is invisible."""
    print(visible_lines(text), file=results())


def warn(line: str, program: str = "vtg-eval") -> None:
    """Write a line to standard error; the work goes on."""
    print(f"{program}: {visible_lines(line)}", file=sys.stderr, flush=True)


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Reserve standard output for `results()`.

    Until the end, what else is printed goes to standard error: by Python code, by libraries in
    other languages, and by child processes.
    """
    _open_missing()
    printed, sys.stdout = sys.stdout, sys.stderr
    try:
        with _detached(printed) as stream:
            _reserved.append(stream)
            try:
                yield
                stream.flush()
            finally:
                _reserved.pop()
    finally:
        sys.stdout = printed


@contextmanager
def _detached(printed: TextIO) -> Iterator[TextIO]:
    """Yield a stream to standard output's file, and lead its number to standard error's.

    printed: sys.stdout; where it has no file of its own (tests), it is yielded itself.
    """
    try:
        is_file = printed.fileno() == STDOUT
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        yield printed
        return
    printed.flush()
    number = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    # a character that the terminal's encoding lacks is escaped, too
    stream = _Results(
        os.fdopen(os.dup(number), "wb"), encoding=printed.encoding, errors="backslashreplace"
    )
    try:
        yield stream
    finally:
        os.dup2(number, STDOUT)
        os.close(number)
        try:
            stream.close()
        except OSError:  # the flush before said so
            pass


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
