"""What `vtg-eval probe` does: the runs that are missing, then their comparison."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vtg_eval.api.settings import task_names
from vtg_eval.cli.run_options import run_options
from vtg_eval.cli.run_output import (
    check_output,
    interrupted,
    plan_summary,
    print_plans,
    warn_failures,
    write_tables,
)
from vtg_eval.comparison.probe import compare_probe
from vtg_eval.comparison.probe_figures import ProbeComparison
from vtg_eval.console.streams import show
from vtg_eval.doctor.before_run import RunTimes
from vtg_eval.errors import UserError
from vtg_eval.probe.transformation import STANDARD, Transformation, transformation
from vtg_eval.registry import Registry
from vtg_eval.report.probe_tables import probe_report
from vtg_eval.run.finished import SplitCache, finished_run
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.paths import RUNS_FOLDER
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunSetup, resolve_task

ORIGINAL = "original"


def run_probe(args: Namespace, registry: Registry) -> int:
    """Run what is missing, compare, print; return the exit status."""
    check_output(args.json)
    if args.runs:
        _refuse_run_arguments(args)
        with gc_paused():
            _show([_compare(args.runs, registry, args)], args)
        return 0
    if args.model is None or args.tasks is None:
        raise UserError("Name --model and --tasks, or finished --runs ORIGINAL TRANSFORMED ….")
    changes = _transformations(args)
    tasks, status = _run(args, registry, changes)
    if tasks:
        with gc_paused():
            _show([_compare(folders, registry, args) for folders in tasks], args)
        if not args.quiet:
            _show_folders(tasks, args)
    return status


def _run(
    args: Namespace, registry: Registry, changes: Sequence[Transformation]
) -> tuple[list[list[Path]], int]:
    """Make the runs; return each task's folders, and the exit status.

    There are none where nothing was run, or not to its end.
    """
    names, options = task_names(args.tasks), run_options(args)
    for name in names:
        resolve_task(options, name, registry)
    status = 0
    times = RunTimes(registry, args.unchecked_times)
    with closing(Runner(options, registry, times)) as runner:
        tasks = [_task_runs(args, runner, name, changes, len(names)) for name in names]
        runs = list(chain.from_iterable(tasks))
        plans = runner.preflight([run.setup for run in runs], [run.folder for run in runs])
        if args.plan:
            summaries = [
                plan_summary(runner, run.setup, run.folder, plan)
                for run, plan in zip(runs, plans, strict=True)
            ]
            print_plans(summaries, args.json)
            return [], 0
        for run in runs:
            outcome = runner.run(run.setup, run.folder)
            if outcome.results is None:
                return [], interrupted(outcome)
            warn_failures(outcome.results, run.folder)
            if outcome.results.lost or outcome.results.non_finite:
                status = 1
    return [[run.folder for run in task] for task in tasks], status


class _Run(NamedTuple):
    setup: RunSetup
    folder: Path


def _task_runs(
    args: Namespace, runner: Runner, name: str, changes: Sequence[Transformation], tasks: int
) -> list[_Run]:
    """Return the original run of a task and the transformed ones."""
    setups = [runner.setup(name), *(runner.setup(name, transformation=c) for c in changes)]
    return [_Run(setup, _folder(args.out, setup, tasks)) for setup in setups]


def _folder(out: Path | None, setup: RunSetup, tasks: int) -> Path:
    """Return the run's default folder, as of `vtg-eval run`, or a sub-folder of --out."""
    if out is None:
        return RUNS_FOLDER / setup.spec.folder_name
    change = setup.spec.transformation
    name = change.file_name if change else ORIGINAL
    return out / name if tasks == 1 else out / setup.spec.task / name


def _transformations(args: Namespace) -> list[Transformation]:
    texts = (args.transformations or ",".join(STANDARD)).split(",")
    changes = [transformation(text.strip(), args.seed) for text in texts]
    if len({change.name for change in changes}) < len(changes):
        raise UserError("--transformations names one twice: name each once.")
    return changes


def _refuse_run_arguments(args: Namespace) -> None:
    for name in ("model", "tasks", "transformations", "out", "limit", "engine", "split", "profile"):
        if getattr(args, name) is not None:
            raise UserError(f"--{name} is for making runs: leave it out with --runs.")
    if args.plan:
        raise UserError("--plan is for making runs: leave it out with --runs.")


def _compare(folders: Sequence[Path], registry: Registry, args: Namespace) -> ProbeComparison:
    splits = SplitCache()
    # the task's own protocol is that of the runs; another one only scores finished runs again
    protocol = args.protocol if args.runs else None
    original, *others = (
        finished_run(folder, registry, splits, args.data_root, protocol, times=False)
        for folder in folders
    )
    return compare_probe(original, others)


def _show(probes: Sequence[ProbeComparison], args: Namespace) -> None:
    """Print the tables, or write JSON."""
    if args.json:
        write_tables([probe.to_json() for probe in probes], args.json)
    elif not args.quiet:
        show("\n\n\n".join(map(probe_report, probes)))


def _show_folders(tasks: Sequence[Sequence[Path]], args: Namespace) -> None:
    if args.json is None:
        for original, *others in tasks:
            show(f"\nrun folders: {original}")
            for folder in others:
                show(f"             {folder}")
