"""The command line: `vtg-eval COMMAND …`; without a command, `vtg-eval run …`.

Sub-commands are plug-ins and are imported only when they are called.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from vtg_eval import __version__
from vtg_eval.cli.command import Command
from vtg_eval.cli.parser import Parser
from vtg_eval.cli.program import STATUSES, run_program
from vtg_eval.console.streams import results, show
from vtg_eval.console.text import visible
from vtg_eval.errors import ContractError
from vtg_eval.hookspecs import Entry, hookimpl
from vtg_eval.registry import Registry

DEFAULT_COMMAND = "run"
COMMANDS = (
    Entry("run", "vtg_eval.cli.run:RunCommand", "run a model on tasks and score it"),
    Entry("merge", "vtg_eval.cli.merge:MergeCommand", "make one run of the shards of a run"),
    Entry("score", "vtg_eval.cli.score:ScoreCommand", "score predictions or a finished run"),
    Entry("compare", "vtg_eval.cli.compare:CompareCommand", "tell whether runs differ, and where"),
    Entry("probe", "vtg_eval.cli.probe:ProbeCommand", "tell whether a model looks or guesses"),
    Entry("report", "vtg_eval.cli.report:ReportCommand", "write a page about one or two runs"),
    Entry(
        "export", "vtg_eval.cli.export:ExportCommand", "write runs as Parquet, CSV or JSON lines"
    ),
    Entry("samples", "vtg_eval.cli.samples:SamplesCommand", "write a task's samples as JSON lines"),
    Entry("tasks", "vtg_eval.cli.tasks:TasksCommand", "list tasks, or show one task's card"),
    Entry("protocols", "vtg_eval.cli.protocols:ProtocolsCommand", "list or show protocols"),
    Entry("profiles", "vtg_eval.cli.profiles:ProfilesCommand", "list or show fine-tunes' profiles"),
    Entry("plugins", "vtg_eval.cli.plugins:PluginsCommand", "list plug-ins and what they provide"),
    Entry("data", "vtg_eval.cli.data:DataCommand", "prepare or check a task's files"),
    Entry(
        "doctor",
        "vtg_eval.cli.doctor:DoctorCommand",
        "check a model's times, an adapter, two engines, the installation",
    ),
)


@hookimpl
def vtg_commands() -> Sequence[Entry]:
    """Provide the built-in sub-commands."""
    return COMMANDS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status. `program` lists them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_program(
        "vtg-eval", lambda registry: _dispatch(arguments, registry), whole_process=argv is None
    )


def _dispatch(arguments: list[str], registry: Registry) -> int:
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        show(overview(registry))
        return 0
    if first == "--version":
        show(f"vtg-eval {__version__}")
        return 0
    if first.startswith("-"):
        name = DEFAULT_COMMAND
    else:
        name, *arguments = arguments
    command = registry.command(name)()
    args = parser_for(registry.commands[name], command).parse_args(arguments)
    if registry.provided("command").owners[name].built_in:
        return int(command.run(args, registry))
    with redirect_stdout(results()):
        status = command.run(args, registry)
    if not isinstance(status, int) or not 0 <= status < 256:
        raise ContractError(command, f"run returned {status!r:.40}, no exit status")
    return status


def parser_for(entry: Entry, command: Command) -> Parser:
    """Return the argument parser of one sub-command."""
    parser = Parser(
        prog=f"vtg-eval {entry.name}",
        description=entry.summary[0].upper() + entry.summary[1:] + ".",
        epilog=command.epilog or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.configure(parser)
    return parser


def overview(registry: Registry) -> str:
    """Return the text of `vtg-eval --help`."""
    width = max(map(len, registry.commands), default=0)
    rows = [f"  {e.name:<{width}}  {visible(e.summary)}" for e in registry.commands.values()]
    return "\n".join(
        [
            "usage: vtg-eval COMMAND …      (vtg-eval --model … is vtg-eval run --model …)",
            "",
            "Measure how well a video-language model finds moments in video.",
            "",
            "commands:",
            *rows,
            "",
            "vtg-eval COMMAND --help shows a command's arguments; vtg-eval --version the version.",
            "",
            "exit status:",
            *(f"  {status:<{width}}  {meaning}" for status, meaning in STATUSES.items()),
        ]
    )
