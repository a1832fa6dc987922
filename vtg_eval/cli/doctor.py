"""`vtg-eval doctor CHECK`: times, engines, an adapter, the installation."""

from __future__ import annotations

import json
import tempfile
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from vtg_eval.adapter import InputOptions
from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.cli.command import STANDARD_OUTPUT, Command, write_lines
from vtg_eval.cli.run import add_input_options
from vtg_eval.console.streams import show
from vtg_eval.doctor.time_check import ClockResult, TimeCheck, examine
from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.registry import Registry

WIDTH = 80
TIME_HEADERS = ("clock video", "frames", "decoded", "told", "recorded", "limit", "")
TIME_EPILOG = """\
Errors are in seconds: of the decoded frames' times, of the times in the model's
input (told), and of those that the journal would record. limit: how large the
error of the told times may be, by the family's way of telling them. Exit status
1 if a time is not true.
"""


class DoctorCommand(Command):
    """Check a model's times, two engines, an adapter or the installation."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the checks."""
        checks = parser.add_subparsers(dest="check", required=True, metavar="CHECK")
        time = checks.add_parser(
            "time", help="check that a model gets the true times", epilog=TIME_EPILOG
        )
        time.add_argument("model", help="a checkpoint folder or a shipped model")
        _add_common(time)

    def run(self, args: Namespace, registry: Registry) -> int:
        """Make the check and print its findings; return 1 where something is wrong."""
        return {"time": _time}[args.check](args, registry)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--protocol", default=DEFAULT_PROTOCOL, help="default: %(default)s")
    parser.add_argument("--decoder", default="pyav", help="default: %(default)s")
    add_input_options(parser)
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let the checkpoint run its code"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _time(args: Namespace, registry: Registry) -> int:
    options = InputOptions(args.time_text, args.thinking)
    checkpoint, entry = resolve(args.model, registry, options)
    protocol = load_profile(checkpoint.path).applied(registry.protocol(args.protocol).without_task)
    adapter = registry.adapter(entry.name)(checkpoint)
    with tempfile.TemporaryDirectory(prefix="vtg-eval-doctor-") as folder:
        check = TimeCheck(registry.decoder(args.decoder)(), Path(folder))
        results = examine(checkpoint, adapter, protocol, check, args.trust_remote_code)
    if args.json:
        _print_json([result.to_json() for result in results])
    else:
        show(_table([_time_row(result) for result in results], TIME_HEADERS))
        for line in _explanations(results):
            show(line)
    return 0 if all(result.true for result in results) else 1


def _time_row(result: ClockResult) -> list[str]:
    errors = (result.decoded, result.model_times, result.recorded, result.resolution)
    return [
        result.clock,
        str(result.frames),
        *("-" if error is None else f"{error:.3f}" for error in errors),
        "true" if result.finding is None else result.finding.name,
    ]


def _explanations(results: Sequence[ClockResult]) -> list[str]:
    """Return what each finding means and what to do, and the first error of each kind."""
    findings = {result.finding: result.error for result in reversed(results) if result.finding}
    lines = []
    for finding, error in findings.items():
        cause = f" ({error})" if error else ""
        lines += ["", f"{finding.name}: {finding.meaning}{cause} {finding.remedy}"]
    return [textwrap.fill(line, WIDTH) for line in lines]


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return str(tabulate(rows, headers=headers, disable_numparse=True))


def _print_json(value: Any) -> None:
    write_lines(STANDARD_OUTPUT, [json.dumps(value, indent=2)])
