"""What can go wrong at the user's side. The command line prints these without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake or a missing thing the user can mend; the message says how. Exit status 2."""


class DataError(UserError):
    """A malformed record; the message names the file and the line or key."""


class MissingFileError(UserError):
    """A task's file that is not there; the message says where it comes from.

    Catch this, and not `UserError`, where a file may be absent: a broken one must not pass for it.
    """


class NotApplicableError(UserError):
    """A protocol that says nothing for a task, or that needs what its annotations do not have."""


class VideoError(Exception):
    """A video that cannot be read. Counted in the ledger; the run goes on."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return 'Did you mean "x"?' for a near miss, else the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Known: {', '.join(names)}." if names else "None is installed."
