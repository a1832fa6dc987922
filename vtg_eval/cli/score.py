"""`vtg-eval score`: score a predictions file, or rescore a run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.split import read_split
from vtg_eval.cli.command import ROOT_HELP, Command, gc_paused, write_lines
from vtg_eval.console.streams import results, show, warn
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import indented
from vtg_eval.parsing.coverage import coverage
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report
from vtg_eval.run.durations import with_durations
from vtg_eval.run.finished import SplitCache, finished_run
from vtg_eval.run.paths import data_root
from vtg_eval.run.results import TaskResults, answers_results


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
        add_predictions_arguments(parser, required=False)
        parser.add_argument(
            "--protocol", metavar="NAME", help="default: the task's default, or that of the run"
        )
        parser.add_argument("--json", metavar="OUT", help="write JSON there (-: standard output)")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Score; print tables, or write JSON."""
        if bool(args.run) == any((args.task, args.split, args.predictions, args.allow_non_finite)):
            raise UserError("Name a run's folder, or else --task and --predictions.")
        with gc_paused():
            scored = (_score_run if args.run else _score_file)(args, registry)
        if args.json:
            table = scored.results.to_json()
            write_lines(args.json, [indented(table)])
        else:
            show("\n\n".join(filter(None, (scored.remark, report(scored.results)))))
        if scored.remark and (args.json or not results().isatty()):
            warn(scored.remark)
        return scored.status


class _Scored(NamedTuple):
    """The results, a line on what they leave out (above the table), and the exit status."""

    results: TaskResults
    remark: str
    status: int


def _score_run(args: Namespace, registry: Registry) -> _Scored:
    run = finished_run(args.run, registry, SplitCache(), args.data_root, args.protocol)
    return _Scored(run.results(registry.protocols.values()), "", 1 if run.damaged else 0)


def _score_file(args: Namespace, registry: Registry) -> _Scored:
    if args.task is None or args.predictions is None:
        raise UserError("Give both --task and --predictions to score a file.")
    task = registry.task(args.task)
    split = task.card.split(args.split)
    root = data_root(task, args.data_root)
    samples = with_durations(task, root, read_split(task, root, split))
    answers = read_predictions(args.predictions, args.allow_non_finite)
    results = answers_results(
        task,
        root,
        split,
        samples,
        answers,
        registry.protocol_for(task.card, args.protocol, split),
        registry.protocols.values(),
        args.predictions.name,
    )
    covered = coverage(samples, answers)
    return _Scored(results, covered.line(args.task, args.split), 1 if covered.poor else 0)


def add_predictions_arguments(parser: ArgumentParser, required: bool = True) -> None:
    """Add the arguments that name a task's samples and the answers to them."""
    parser.add_argument("--task", required=required, metavar="TASK")
    parser.add_argument("--split", help="default: the task's test split")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=ROOT_HELP)
    parser.add_argument("--predictions", type=Path, required=required, metavar="FILE")
    parser.add_argument(
        "--allow-non-finite",
        action="store_true",
        help="keep NaN and infinity in predictions; the protocol's source says what they score",
    )
