"""Errors that the user can fix, and warnings. The command line prints no traceback for them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable


class UserError(Exception):
    """A mistake or a missing file that the user can fix; the message says how. Exit status 2."""


class DataError(UserError):
    """A malformed record; the message names the file and the line or key."""


class MissingFileError(UserError):
    """A missing file of a task; the message says where it comes from.

    Catch this, not `UserError`, where a file may be absent: a broken file must not count as absent.
    """


class NotApplicableError(UserError):
    """A protocol that is not defined for a task, or needs what the annotations do not have."""


class VideoError(Exception):
    """A video that cannot be read. Counted as a failure; the run goes on."""


class CutShortError(VideoError):
    """A video whose file ends before the video does, as after a broken download."""


def warn(line: str) -> None:
    """Print a line to standard error; the command goes on."""
    print(f"vtg-eval: {line}", file=sys.stderr)


LONGEST = 600  # characters of a library's message


def one_line(text: str) -> str:
    """Return a library's message as one line; a long one is cut in its middle.

    What a message says to do is mostly at its end.
    """
    line = " ".join(text.split())
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} … {line[-half:]}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return 'Did you mean "x"?' for a near miss, else list the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Known: {', '.join(names)}." if names else "None is installed."
