"""`vtg-eval data prepare` and `vtg-eval data check`: a task's files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import Command
from vtg_eval.registry import Registry


class DataCommand(Command):
    """Get a task's files, or check them; exit status 1 when something is missing or wrong."""

    epilog = (
        "examples:\n"
        "  vtg-eval data prepare charades_sta --data-root DIR\n"
        "  vtg-eval data check charades_sta --data-root DIR --decode"
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        prepare = actions.add_parser(
            "prepare", help="fetch or generate files, and show where the others belong"
        )
        check = actions.add_parser("check", help="find missing, damaged and inconsistent files")
        for action in (prepare, check):
            action.add_argument("task", metavar="TASK")
            action.add_argument(
                "--data-root",
                "--root",
                type=Path,
                metavar="DIR",
                dest="data_root",
                help="holds the task's folder, or is it where it has files (default: as for run)",
            )
        prepare.add_argument("--split", help="default: the task's own default split")
        check.add_argument("--split", help="default: every split whose annotations are there")
        prepare.add_argument(
            "--videos", action="store_true", help="fetch archives of videos, too (many gigabytes)"
        )
        check.add_argument(
            "--json", metavar="OUT", help="write all findings; - for standard output"
        )
        check.add_argument("--decode", action="store_true", help="decode every video to its end")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Prepare or check."""
        from vtg_eval.cli.data_files import prepare_or_check  # not at the top: see `Command`

        return prepare_or_check(args, registry)
