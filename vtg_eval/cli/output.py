"""Where a command's result goes: a file, or standard output for "-"."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path

STANDARD_OUTPUT = "-"


@contextmanager
def opened(target: str) -> Iterator[TextIO]:
    """Open the file (or standard output) for writing; the file is whole or what it was before.

    Raises UserError when that fails.
    """
    if target == STANDARD_OUTPUT:
        yield sys.stdout
        return
    try:
        with atomic_path(Path(target)) as part, part.open("w", encoding="utf-8") as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise UserError(f"{target} cannot be written: {exc.strerror}.") from exc


def write_lines(target: str, lines: Iterable[str]) -> None:
    """Write lines of text to the file or standard output."""
    with opened(target) as file:
        file.writelines(f"{line}\n" for line in lines)
