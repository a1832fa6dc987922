"""`vtg-eval doctor time MODEL`: check that a model gets the true times."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from tabulate import tabulate

from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.cli.command import BASE_HELP, STANDARD_OUTPUT, Command, write_lines
from vtg_eval.console.streams import show
from vtg_eval.doctor.time_check import ClockResult, examine
from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.registry import Registry

HEADERS = ("clock video", "frames", "decoded", "model times", "recorded", "may differ by", "")


class DoctorCommand(Command):
    """Send clock videos through decoder, adapter and processor; needs no weights."""

    epilog = (
        "Errors are in seconds: of the decoded frames' times, of the times in the model's input\n"
        "(model times), and of those that the journal would record. Exit status 1 if one is\n"
        "too large."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("check", choices=["time"], help="the check to make")
        parser.add_argument("model", help="a checkpoint folder or a shipped model")
        parser.add_argument("--base", metavar="MODEL", help=BASE_HELP)
        parser.add_argument("--protocol", default=DEFAULT_PROTOCOL, help="default: %(default)s")
        parser.add_argument("--decoder", default="pyav", help="default: %(default)s")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Make the check and print its findings; return 1 where a time is not true."""
        checkpoint, entry = resolve(args.model, registry, args.base)
        protocol = registry.protocol(args.protocol).without_task
        protocol = load_profile(checkpoint.lora, checkpoint.path).applied(protocol)
        adapter = registry.adapter(entry.name)(checkpoint)
        results = examine(checkpoint, adapter, registry.decoder(args.decoder)(), protocol)
        if args.json:
            rows = [{**asdict(result), "true": result.true} for result in results]
            write_lines(STANDARD_OUTPUT, [json.dumps(rows, indent=2)])
        else:
            show(tabulate([_row(f) for f in results], headers=HEADERS, disable_numparse=True))
        return 0 if all(result.true for result in results) else 1


def _row(result: ClockResult) -> list[str]:
    errors = (result.decoded, result.model_times, result.recorded, result.resolution)
    return [
        result.clock,
        str(result.frames),
        *(f"{error:.3f}" for error in errors),
        "true" if result.true else "NOT TRUE",
    ]
