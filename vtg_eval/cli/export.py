"""`vtg-eval export`: runs as tables for other programs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import RUN_ROOT_HELP, Command
from vtg_eval.registry import Registry

FORMATS = ("parquet", "csv", "jsonl")
TABLES = ("samples", "metrics")


class ExportCommand(Command):
    """Write the data frames of the Python interface to a file."""

    epilog = (
        "samples: a row for each sample of each run, with its query, truth, answer, metrics,\n"
        "failures, groups, times, tokens and seconds. metrics: a row for each metric of each run,\n"
        "with its interval, and of each blind predictor. docs/python.md explains the columns.\n"
        "In CSV files lists are written as JSON. parquet needs the extra parquet."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
        parser.add_argument("--to", choices=FORMATS, required=True, help="the file's format")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE")
        parser.add_argument(
            "--table", choices=TABLES, default=TABLES[0], help="default: %(default)s"
        )
        parser.add_argument("--protocol", metavar="NAME", help="default: each run's own")
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=RUN_ROOT_HELP)

    def run(self, args: Namespace, registry: Registry) -> int:
        """Write the file and print its path."""
        from vtg_eval.cli.export_runs import export  # not at the top: see `Command`

        return export(args, registry)
