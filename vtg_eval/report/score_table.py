"""A score as text tables: metrics with intervals and floors, the ledger, the spread."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from vtg_eval.floors import Floor
from vtg_eval.run.score import Score


def score_report(score: Score, floors: Sequence[Floor], others: Sequence[Score]) -> str:
    """Return the whole report of one score: percent, to two decimals."""
    counted = f"{score.n_scored} of {score.n_expected} samples"
    parts = [
        f"{score.task}, {score.split} split, {score.protocol}: {counted}",
        metrics_table(score, floors),
        ledger_table(score),
    ]
    if len(others) > 1:
        parts.append("The same answers under other protocols:\n\n" + spread_table(others))
    return "\n\n".join(parts)


def metrics_table(score: Score, floors: Sequence[Floor]) -> str:
    """Return metrics with their 95 % interval (over videos) beside what a blind guess gets."""
    intervals = score.intervals()
    rows = [
        [name, value, f"{intervals[name].low:.2f} to {intervals[name].high:.2f}"]
        + [floor.metrics[name] for floor in floors]
        for name, value in score.metrics.items()
    ]
    headers = ["metric", "score", "95 % interval", *(floor.name for floor in floors)]
    return _table(rows, headers)


def ledger_table(score: Score) -> str:
    """Return what was wrong with the answers and how often."""
    if not score.failures:
        return "Nothing was wrong with any answer."
    rows = [(kind.value, count) for kind, count in score.failures.items()]
    return _table(rows, ["failure", "count"])


def spread_table(scores: Sequence[Score]) -> str:
    """Return one row a protocol; a metric that a protocol does not have stays empty."""
    names = list(dict.fromkeys(name for score in scores for name in score.metrics))
    rows = [
        [score.protocol, score.n_scored, *(score.metrics.get(name) for name in names)]
        for score in scores
    ]
    return _table(rows, ["protocol", "scored", *names])


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    table: str = tabulate(rows, headers=headers, floatfmt=".2f")
    return table
