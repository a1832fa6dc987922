"""What all sub-commands share: the base class, exit statuses, where results go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from vtg_eval.console.streams import results
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path
from vtg_eval.registry import Registry

STANDARD_OUTPUT = "-"
BASE_HELP = "the model that a LoRA folder is applied to; default: the one that it names"
ROOT_HELP = "default: $VTG_EVAL_DATA, else ./data"
RUN_ROOT_HELP = "default: that of the run, else $VTG_EVAL_DATA, else ./data"


class Command(ABC):
    """One sub-command of `vtg-eval`, found through the hook `vtg_commands`.

    `run` returns the exit status: 0 done, 1 done with problems (a check that failed, a run with
    errors); a mistake of the user is raised as UserError. `vtg_eval.cli.program.STATUSES` has all.
    `--help` imports its module and calls `configure`: import in `run` what only the work needs.
    Results are written by `write_lines` or `show`; what is printed goes to standard error, but
    for the commands of third parties, which may print their results.
    """

    epilog: str = ""

    @abstractmethod
    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""

    @abstractmethod
    def run(self, args: Namespace, registry: Registry) -> int:
        """Do the work and return the exit status."""


@contextmanager
def opened(target: str) -> Iterator[TextIO]:
    """Open the file, or standard output for "-", for writing; a file is replaced only at the end.

    Raises UserError where the file cannot be written.
    """
    if target == STANDARD_OUTPUT:
        yield results()
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
