"""A sub-command: its arguments and what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace

from vtg_eval.registry import Registry


class Command(ABC):
    """One sub-command of `vtg-eval`, found through the hook `vtg_commands`.

    `run` returns the exit status: 0 done, 1 done but something was found wrong (a check that
    failed, a run with errors), 2 a mistake of the user's (raised as UserError), 130 interrupted.
    Results go to standard output, everything else to standard error.
    """

    epilog: str = ""

    @abstractmethod
    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""

    @abstractmethod
    def run(self, args: Namespace, registry: Registry) -> int:
        """Do it."""
