"""Errors, each with its exit status. The command line prints their message and no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake or a missing file that the user can fix; the message says how."""

    exit_status = 2


class EngineError(UserError):
    """An engine that failed while it ran; what it answered before is kept."""

    exit_status = 1


class PluginError(UserError):
    """A plug-in that cannot be used; the message names it and its package."""

    exit_status = 3


class ContractError(Exception):
    """A plug-in's object that returned what its interface does not allow.

    `module` is that of the object's class: it tells which plug-in it belongs to.
    """

    def __init__(self, owner: object, message: str) -> None:
        kind = owner if isinstance(owner, type) else type(owner)
        super().__init__(f"{kind.__qualname__}.{message}")
        self.module = kind.__module__


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
