"""`vtg-eval run`: a model on tasks, from videos to scores."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vtg_eval.adapter import TimeText
from vtg_eval.cli.command import STANDARD_OUTPUT, Command, write_lines
from vtg_eval.cli.run_arguments import add_run_arguments, run_options, task_names
from vtg_eval.console.streams import show, warn
from vtg_eval.doctor.before_run import RunTimes
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import write_json
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report, subset_line
from vtg_eval.run.estimate import estimate
from vtg_eval.run.paths import RUNS_FOLDER
from vtg_eval.run.plan import Plan
from vtg_eval.run.results import TaskResults
from vtg_eval.run.runner import Outcome, Runner
from vtg_eval.run.setup import RunSetup, resolve_task

INTERRUPTED = 130

EPILOG = """\
Each answer is kept at once; the same command again finishes what is missing. Exit status 1:
some samples failed (they are counted, and tried again next time), the model's logits were not
finite, or the engine failed.
"""


class RunCommand(Command):
    """Run a model on tasks and score it."""

    epilog = EPILOG

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        add_run_arguments(parser)
        add = parser.add_argument
        add("--json", metavar="OUT", help="write the results as JSON (- is standard output)")
        add("--plan", action="store_true", help="show what would be done, start nothing")
        add("--quiet", action="store_true", help="no progress, no table")

    def run(self, args: Namespace, registry: Registry) -> int:
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


def interrupted(outcome: Outcome) -> int:
    """Say how to go on after an interrupted run; return the exit status."""
    warn(f"{outcome.answered} of {outcome.asked} answered; run the same command again to finish.")
    return INTERRUPTED


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


def time_text_line(time_text: TimeText | None) -> str:
    """Return how the frames' times are told as text, "" where they are not."""
    if time_text in (None, "none"):
        return ""
    return f"frame times as text: {time_text} (--time-text)"


def warn_failures(results: TaskResults, folder: Path) -> None:
    """Warn of samples without an answer, and of a broken model."""
    if results.lost:
        warn(
            f"{results.lost} of {results.n_expected} samples failed and count as the protocol "
            f"says; {folder / 'journal.jsonl'} has the reasons. The same command tries them again."
        )
    if results.non_finite:
        warn(
            f"the model is broken: on {results.non_finite} of {results.n_expected} samples its "
            "logits are NaN or infinite. They have no answer and are not asked again; check the "
            "training that made the checkpoint, or try --dtype float32."
        )


def plan_summary(runner: Runner, setup: RunSetup, folder: Path, plan: Plan) -> dict[str, Any]:
    """Return what a run would do, as plain JSON values."""
    change = setup.spec.transformation
    remaining = estimate(plan, runner.model.adapter, setup.spec.protocol.frames)
    return {
        "task": setup.spec.task,
        "folder": str(folder),
        "time_text": setup.spec.time_text,
        "asked": len(plan.samples),
        "left": asdict(remaining),
        "subset": asdict(plan.subset),
        "note": ""
        if plan.subset.whole
        else subset_line(plan.subset, change.name if change else ""),
    }


def print_plans(plans: list[dict[str, Any]], out: str | None) -> None:
    """Print what runs would do, or write it as JSON."""
    if out:
        write_tables(plans, out)
        return
    for plan in plans:
        remaining = plan["left"]
        show(
            f"{plan['task']}: {plan['asked']} samples, {remaining['samples']} left to ask on "
            f"{remaining['videos']} videos: {remaining['frames']:,} frames, "
            f"at most {remaining['tokens']:,} visual tokens and "
            f"about {remaining['disk'] / 1e9:.2f} GB in the frame store\n"
            f"run folder: {plan['folder']}"
        )
        if line := time_text_line(plan["time_text"]):
            show(line)
        if plan["note"]:
            show(plan["note"])


def write_tables(tables: list[dict[str, Any]], out: str) -> None:
    """Write one table as it is, several as a list."""
    value: Any = tables[0] if len(tables) == 1 else tables
    if out == STANDARD_OUTPUT:
        write_lines(out, [json.dumps(value, indent=2)])
    else:
        write_json(Path(out), value)


def check_output(target: str | None) -> None:
    """Raise UserError for an output file that cannot be written at the end of the run."""
    if target is None or target == STANDARD_OUTPUT:
        return
    path = Path(target)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"{target} cannot be written: it is a folder, or its folder is missing.")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UserError(f"{target} cannot be written. Name another output file.")
