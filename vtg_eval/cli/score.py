"""`vtg-eval score`: score a predictions file, or rescore a run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import ROOT_HELP, RUN_ROOT_HELP, Command
from vtg_eval.registry import Registry


class ScoreCommand(Command):
    """Score predictions, without videos, models or torch."""

    epilog = (
        'Predictions are JSON lines: {"id", "text"} or {"id", "spans": [[start, end], …]}, with\n'
        "times in seconds; a third number is a score, for all spans of a line or for none.\n"
        'Further keys are "choice" and "saliency"; others are ignored, but a record with none of\n'
        "these beside them is refused. An empty list of spans means that the event never happens.\n"
        "`vtg-eval samples TASK` lists the ids.\n"
        "\n"
        "Exit status: 0 scored; 1 scored, but most samples have no answer, a record names an\n"
        "unknown id, or lines of the run's journal are damaged; 2 a mistake in the arguments or\n"
        "the files."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument(
            "run",
            nargs="?",
            type=Path,
            metavar="RUN_FOLDER",
            help="a run, instead of --predictions",
        )
        add_predictions_arguments(parser, required=False, root_help=RUN_ROOT_HELP)
        parser.add_argument(
            "--protocol", metavar="NAME", help="default: the task's default, or that of the run"
        )
        parser.add_argument("--json", metavar="OUT", help="write JSON there (-: standard output)")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Score; print tables, or write JSON."""
        from vtg_eval.cli.score_answers import score  # not at the top: see `Command`

        return score(args, registry)


def add_predictions_arguments(
    parser: ArgumentParser, required: bool = True, root_help: str = ROOT_HELP
) -> None:
    """Add the arguments that name a task's samples and the answers to them."""
    parser.add_argument("--task", required=required, metavar="TASK")
    parser.add_argument("--split", help="default: the task's test split")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=root_help)
    parser.add_argument("--predictions", type=Path, required=required, metavar="FILE")
    parser.add_argument(
        "--allow-non-finite",
        action="store_true",
        help="keep NaN and infinity in predictions; the protocol's source says what they score",
    )
