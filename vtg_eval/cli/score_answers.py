"""What `vtg-eval score` does: score a predictions file, or rescore a run."""

from __future__ import annotations

from argparse import Namespace
from typing import NamedTuple

from vtg_eval.annotations.split import read_split
from vtg_eval.cli.command import write_lines
from vtg_eval.console.streams import results, show, warn
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import indented
from vtg_eval.parsing.coverage import coverage
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report
from vtg_eval.run.durations import with_durations
from vtg_eval.run.finished import SplitCache, finished_run
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.paths import data_root
from vtg_eval.run.results import TaskResults, answers_results


def score(args: Namespace, registry: Registry) -> int:
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
