"""What `vtg-eval run` does: a model on tasks, from videos to scores."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import closing
from pathlib import Path

from vtg_eval.cli.run_arguments import task_names
from vtg_eval.cli.run_options import run_options
from vtg_eval.cli.run_output import (
    check_output,
    interrupted,
    plan_summary,
    print_plans,
    time_text_line,
    warn_failures,
    write_tables,
)
from vtg_eval.console.streams import show
from vtg_eval.doctor.before_run import RunTimes
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report
from vtg_eval.run.paths import RUNS_FOLDER
from vtg_eval.run.results import TaskResults
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunSetup, resolve_task


def run_tasks(args: Namespace, registry: Registry) -> int:
    """Run, print, return the exit status."""
    names = task_names(args.tasks)
    check_output(args.json)
    options = run_options(args)
    for name in names:
        resolve_task(options, name, registry)
    times = RunTimes(registry, args.unchecked_times)
    with closing(Runner(options, registry, times)) as runner:
        setups = [runner.setup(name) for name in names]
        folders = [_folder(args.out, setup, len(setups)) for setup in setups]
        plans = runner.preflight(setups, folders)
        if args.plan:
            runs = zip(setups, folders, plans, strict=True)
            print_plans([plan_summary(runner, *run) for run in runs], args.json)
            return 0
        finished: list[TaskResults] = []
        for setup, folder in zip(setups, folders, strict=True):
            outcome = runner.run(setup, folder)
            if outcome.results is None:
                return interrupted(outcome)
            finished.append(outcome.results)
            _show(outcome.results, folder, setup, args)
    if args.json:
        write_tables([results.to_json() for results in finished], args.json)
    return 1 if any(results.lost or results.non_finite for results in finished) else 0


def _folder(out: Path | None, setup: RunSetup, setups: int) -> Path:
    if out is None:
        return RUNS_FOLDER / setup.spec.folder_name
    return out if setups == 1 else out / setup.spec.task


def _show(results: TaskResults, folder: Path, setup: RunSetup, args: Namespace) -> None:
    """Print the tables, to standard error where standard output carries JSON."""
    warn_failures(results, folder)
    if not args.quiet:
        stream = sys.stderr if args.json == "-" else None
        lines = filter(None, (time_text_line(setup.spec.time_text), f"run folder: {folder}"))
        show("\n".join((f"\n{report(results)}\n", *lines)), stream)
