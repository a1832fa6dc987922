"""What all sub-commands share: the base class, exit statuses, where results go."""

from __future__ import annotations

import gc
import os
import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path
from vtg_eval.registry import Registry

STANDARD_OUTPUT = "-"
ROOT_HELP = "default: $VTG_EVAL_DATA, else ./data"


class Command(ABC):
    """One sub-command of `vtg-eval`, found through the hook `vtg_commands`.

    `run` returns the exit status: 0 done, 1 done with problems (a check that failed, a run with
    errors), 2 a mistake in the arguments or files (raised as UserError), 130 interrupted.
    Results go to standard output, everything else to standard error.
    """

    epilog: str = ""

    @abstractmethod
    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""

    @abstractmethod
    def run(self, args: Namespace, registry: Registry) -> int:
        """Do the work and return the exit status."""


def exit_status(program: str, call: Callable[[], int], resume: str = "") -> int:
    """Return what `call` returns: 2 after a mistake of the user, 130 after Ctrl-C.

    resume: the hint after Ctrl-C. A closed pipe (`| head`) is no mistake; a full disk or a folder
    that cannot be written is one.
    """
    try:
        return call()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted{resume}.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_output()
        return 0
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        print(
            f"{program}: {path}{error.strerror or error}. Make room or access there, or name "
            "another place, then run the same command again.",
            file=sys.stderr,
        )
        if not path:  # standard output itself: what is left must not fail again at exit
            _discard_output()
        return 2


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def opened(target: str) -> Iterator[TextIO]:
    """Open the file, or standard output for "-", for writing; a file is replaced only at the end.

    Raises UserError where the file cannot be written.
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
        raise UserError(
            f"{target} cannot be written: {exc.strerror}. Name another output file."
        ) from exc


def write_lines(target: str, lines: Iterable[str]) -> None:
    """Write lines of text to the file, or to standard output for "-"."""
    with opened(target) as file:
        file.writelines(f"{line}\n" for line in lines)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable the cyclic garbage collector, which would scan all live records many times.

    Records have no reference cycles, so reference counts still free them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
