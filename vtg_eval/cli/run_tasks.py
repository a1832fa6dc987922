"""What `vtg-eval run` does: a model on tasks, from videos to scores."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from typing import Any

from vtg_eval.api.evaluate import TaskRuns
from vtg_eval.api.settings import task_names
from vtg_eval.cli.command import STANDARD_OUTPUT
from vtg_eval.cli.run_options import run_options
from vtg_eval.cli.run_output import (
    check_output,
    interrupted,
    plan_summary,
    print_plans,
    progress_table,
    show_results,
    warn_failures,
    warn_reuse,
    write_tables,
)
from vtg_eval.console.streams import show, warn
from vtg_eval.registry import Registry
from vtg_eval.run.runner import Outcome
from vtg_eval.run.setup import RunSetup
from vtg_eval.run.shards import run_of


def run_tasks(args: Namespace, registry: Registry) -> int:
    """Run, print, return the exit status."""
    names = task_names(args.tasks)
    check_output(args.json)
    options = replace(run_options(args), shard=args.shard)
    with TaskRuns(options, names, args.out, registry, args.unchecked_times) as runs:
        if args.plan:
            summaries = [
                plan_summary(runs.runner, run.setup, run.folder, run.plan) for run in runs.runs
            ]
            print_plans(summaries, args.json)
            return 0
        tables: list[dict[str, Any]] = []
        failed = False
        for run, outcome in runs.outcomes():
            if outcome.interrupted:
                return interrupted(outcome)
            failed |= outcome.failed > 0
            _show(outcome, run.setup, args)
            if args.json:
                tables.append(_table(outcome, run.setup, args))
    if args.json:
        write_tables(tables, args.json)
    return 1 if failed else 0


def _show(outcome: Outcome, setup: RunSetup, args: Namespace) -> None:
    """Print how a run or its shard ended."""
    warn_reuse(outcome.usage)
    if outcome.results is None:
        _show_shard(outcome, setup, args)
        return
    warn_failures(outcome.results, outcome.folder)
    if not args.quiet:
        show_results(outcome.results, outcome.folder, setup.spec, args.json, outcome.usage)


def _table(outcome: Outcome, setup: RunSetup, args: Namespace) -> dict[str, Any]:
    """Return how a run or its shard ended, as plain JSON values."""
    if outcome.results is not None:
        return outcome.results.to_json()
    table = progress_table(setup.spec, outcome.folder, outcome.answered, outcome.asked)
    return {**table, "shard": str(args.shard)}


def _show_shard(outcome: Outcome, setup: RunSetup, args: Namespace) -> None:
    if outcome.failed:
        warn(
            f"{outcome.failed} of {outcome.asked} samples failed; "
            f"{outcome.folder / 'journal.jsonl'} has the reasons. The same command tries again."
        )
    if not args.quiet:
        lines = (
            f"{setup.spec.task}, shard {args.shard}: {outcome.answered} of {outcome.asked} samples "
            "answered",
            *(() if outcome.usage is None else outcome.usage.lines),
            f"shard folder: {outcome.folder}",
            f"when all shards have ended: vtg-eval merge {run_of(outcome.folder)}",
        )
        show("\n".join(lines), sys.stderr if args.json == STANDARD_OUTPUT else None)
