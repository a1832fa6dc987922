"""What `vtg-eval protocols score` does: one predictions file under all protocols."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict

from vtg_eval.annotations.split import read_split
from vtg_eval.console.streams import show, warn
from vtg_eval.parsing.coverage import coverage
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.report.tables import protocol_table
from vtg_eval.run.durations import with_durations
from vtg_eval.run.paths import data_root
from vtg_eval.scoring.across_protocols import protocol_scores, scores_across_protocols
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.score import score_answers


def score_under_all(args: Namespace, registry: Registry) -> int:
    """Print the figures under each protocol; return the exit status."""
    task = registry.task(args.task)
    split = task.card.split(args.split)
    root = data_root(task, args.data_root)
    samples = with_durations(task, root, read_split(task, root, split))
    predictions = read_predictions(args.predictions, args.allow_non_finite)
    covered = coverage(samples, predictions)
    if line := covered.line(args.task, args.split):
        warn(line)
    answers = AnswerSet(samples, predictions)
    scores = scores_across_protocols(task.card, answers, registry.protocols.values(), split)
    default = registry.protocol_for(task.card, split=split)
    rows = protocol_scores(score_answers(task.card, answers, default, split), scores)
    table = [asdict(row) for row in rows]
    text = json.dumps(table, indent=2, allow_nan=False) if args.json else protocol_table(rows)
    show(text)
    return 1 if covered.poor else 0
