"""The argument parser of all commands: a mistake is one line, which names the nearest argument."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from vtg_eval.console.streams import results
from vtg_eval.console.text import visible
from vtg_eval.errors import suggestion

NUMBERS = {int: "a whole number", float: "a number"}


class ParserExit(SystemExit):
    """The end of a program whose arguments are wrong, or ask for help."""


class Parser(argparse.ArgumentParser):
    """A parser that knows no abbreviations."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; an unknown option is an error even where a required one is missing."""
        given = list(sys.argv[1:] if args is None else args)
        if not self._subparsers:
            self._refuse_unknown(given)
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the mistake in one line and exit."""
        stop = "" if message.endswith((".", "?")) else "."
        line = visible(f"{self.prog}: error: {message}{stop} See {self.prog} --help.")
        self.exit(2, f"{line}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit, after a message on standard error."""
        if message:
            print(message, end="", file=sys.stderr)
        raise ParserExit(status)

    def print_help(self, file: Any = None) -> None:
        """Print the help to standard output, which may be reserved."""
        super().print_help(file or results())

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            print(message, end="", file=results() if file is sys.stdout else file)

    def _refuse_unknown(self, given: Sequence[str]) -> None:
        options = self._option_string_actions
        for argument in given:
            if argument == "--":
                return
            name = argument.partition("=")[0]
            if name.startswith("--") and " " not in name and name not in options:
                self.error(f"unrecognized arguments: {name}. {suggestion(name, options)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            near = suggestion(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f'invalid choice: "{value}". {near}')

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Return the value of an argument; its type's own message says what is wrong."""
        kind = self._registry_get("type", action.type, action.type)
        try:
            return kind(arg_string)
        except argparse.ArgumentTypeError as exc:
            raise argparse.ArgumentError(action, str(exc)) from exc
        except (TypeError, ValueError) as exc:
            needed = NUMBERS.get(kind, "a value that it takes")
            raise argparse.ArgumentError(action, f"{arg_string!r} is not {needed}") from exc
