"""`vtg-eval doctor CHECK`: times, engines, an adapter, the installation."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from vtg_eval.cli.command import BASE_HELP, Command
from vtg_eval.cli.run_arguments import add_input_options
from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.registry import Registry

TIME_EPILOG = """\
Errors are in seconds: of the decoded frames' times, of the times in the model's
input (told), and of those that the journal would record. limit: how large the
error of the told times may be, by the family's way of telling them. Exit status
1 if a time is not true.
"""
PARITY_EPILOG = """\
prompt: whether the prompt's tokens are the same. input: the largest difference
of the numbers that the two models get, - where an engine does not show them.
Exit status 1 if one of the two differs; answers may differ by rounding.
"""


class DoctorCommand(Command):
    """Check a model's times, two engines, an adapter or the installation."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the checks."""
        checks = parser.add_subparsers(dest="check", required=True, metavar="CHECK")
        raw = RawDescriptionHelpFormatter
        time = checks.add_parser(
            "time",
            help="check that a model gets the true times",
            epilog=TIME_EPILOG,
            formatter_class=raw,
        )
        parity = checks.add_parser(
            "parity",
            help="send the same samples through two engines",
            epilog=PARITY_EPILOG,
            formatter_class=raw,
        )
        for check in (time, parity):
            check.add_argument("model", help="as --model of `vtg-eval run`")
        adapter = checks.add_parser("adapter", help="show what an adapter makes of a sample")
        adapter.add_argument("name", metavar="NAME", help="the adapter's name")
        adapter.add_argument("checkpoint", metavar="MODEL", help="as --model of `vtg-eval run`")
        parity.add_argument("--engines", help="two, default: transformers,vllm")
        adapter.add_argument("--engines", help="default: all that are installed")
        for check in (time, parity, adapter):
            _add_common(check)
        environment = checks.add_parser("env", help="show versions and known bad combinations")
        environment.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Make the check and print its findings; return 1 where something is wrong."""
        from vtg_eval.cli.doctor_checks import run_check  # not at the top: see `Command`

        return run_check(args, registry)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--base", metavar="MODEL", help=BASE_HELP)
    parser.add_argument("--protocol", default=DEFAULT_PROTOCOL, help="default: %(default)s")
    parser.add_argument("--decoder", default="pyav", help="default: %(default)s")
    add_input_options(parser)
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let the checkpoint run its code"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
