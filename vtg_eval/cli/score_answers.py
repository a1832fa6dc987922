"""What `vtg-eval score` does: score a predictions file, or rescore a run."""

from __future__ import annotations

from argparse import Namespace

from vtg_eval.api import runs
from vtg_eval.cli.command import write_lines
from vtg_eval.console.streams import results, show, warn
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import indented
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report


def score(args: Namespace, registry: Registry) -> int:
    """Score; print tables, or write JSON."""
    if bool(args.run) == any((args.task, args.split, args.predictions, args.allow_non_finite)):
        raise UserError("Name a run's folder, or else --task and --predictions.")
    scored, remark, status = (_score_run if args.run else _score_file)(args, registry)
    if args.json:
        write_lines(args.json, [indented(scored.results.to_json())])
    else:
        show("\n\n".join(filter(None, (remark, report(scored.results)))))
    if remark and (args.json or not results().isatty()):
        warn(remark)
    return status


def _score_run(args: Namespace, registry: Registry) -> tuple[runs.Scored, str, int]:
    """Return the scores, a line on what they leave out (above the table), and the exit status."""
    run = runs.load_run(
        args.run, data_root=args.data_root, protocol=args.protocol, registry=registry
    )
    return run, "", 1 if run.damaged else 0


def _score_file(args: Namespace, registry: Registry) -> tuple[runs.Scored, str, int]:
    """Return the same for a file of predictions."""
    if args.task is None or args.predictions is None:
        raise UserError("Give both --task and --predictions to score a file.")
    answers = read_predictions(args.predictions, args.allow_non_finite)
    scored = runs.score_predictions(
        args.task,
        args.split,
        args.data_root,
        args.protocol,
        answers,
        args.predictions.name,
        registry,
    )
    line = scored.coverage.line(args.task, args.split)
    return scored, line, 1 if scored.coverage.poor else 0
