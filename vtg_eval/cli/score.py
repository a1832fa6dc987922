"""`vtg-eval score`: score a predictions file, or rescore a run."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import ROOT_HELP, Command, gc_paused, write_lines
from vtg_eval.console.streams import show
from vtg_eval.errors import UserError
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report
from vtg_eval.run.finished import rescore
from vtg_eval.run.paths import data_root
from vtg_eval.run.results import TaskResults, answers_results


class ScoreCommand(Command):
    """Score predictions, without videos, models or torch."""

    epilog = (
        'Predictions are JSON lines: {"id", "text"} or {"id", "spans": [[start, end], …]}, with\n'
        "times in seconds; a third number is a score, for all spans of a line or for none.\n"
        'Further keys are "choice" and "saliency". `vtg-eval samples TASK` lists the ids. An\n'
        "empty list of spans means that the event never happens."
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
        add_predictions_arguments(parser, required=False)
        parser.add_argument(
            "--protocol", metavar="NAME", help="default: the task's default, or that of the run"
        )
        parser.add_argument("--json", metavar="OUT", help="write JSON there (-: standard output)")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Score; print tables, or write JSON."""
        if bool(args.run) == any((args.task, args.split, args.predictions)):
            raise UserError("Name a run's folder, or else --task and --predictions.")
        with gc_paused():
            if args.run:
                results = rescore(args.run, registry, args.data_root, args.protocol)
            else:
                results = _score_file(args, registry)
        if args.json:
            write_lines(args.json, [json.dumps(results.to_json(), indent=2, allow_nan=False)])
        else:
            show(report(results))
        return 0


def _score_file(args: Namespace, registry: Registry) -> TaskResults:
    if args.task is None or args.predictions is None:
        raise UserError("Give both --task and --predictions to score a file.")
    task = registry.task(args.task)
    split = task.card.split(args.split)
    root = data_root(task, args.data_root)
    return answers_results(
        task,
        root,
        split,
        task.samples(root, split),
        read_predictions(args.predictions),
        registry.protocol_for(task.card, args.protocol, split),
        registry.protocols.values(),
        args.predictions.name,
    )


def add_predictions_arguments(parser: ArgumentParser, required: bool = True) -> None:
    """Add the arguments that name a task's samples and the answers to them."""
    parser.add_argument("--task", required=required, metavar="TASK")
    parser.add_argument("--split", help="default: the task's test split")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=ROOT_HELP)
    parser.add_argument("--predictions", type=Path, required=required, metavar="FILE")
