"""`vtg-eval run`: a model on tasks, from videos to scores."""

from __future__ import annotations

import argparse
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vtg_eval.cli.command import BASE_HELP, STANDARD_OUTPUT, Command, write_lines
from vtg_eval.console.streams import show, warn
from vtg_eval.engines.base import EngineOptions
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import write_json
from vtg_eval.registry import Registry
from vtg_eval.report.tables import report, subset_line
from vtg_eval.run.estimate import estimate
from vtg_eval.run.paths import RUNS_FOLDER
from vtg_eval.run.plan import Plan
from vtg_eval.run.results import TaskResults
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions, RunSetup, resolve_task

INTERRUPTED = 130
LARGEST_BATCH = 4096  # requests in flight hold their frames in memory
LARGEST_SEED = 2**32 - 1

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
        add = parser.add_argument
        add("--model", required=True, help="a checkpoint folder, a shipped model, baseline:NAME")
        add("--base", metavar="MODEL", help=BASE_HELP)
        add("--tasks", required=True, help="tasks, separated by commas")
        add("--split", help="default: the task's default split")
        add("--data-root", type=Path, help="default: $VTG_EVAL_DATA, else ./data")
        add("--protocol", help="default: the task's default, strict@2 for built-in tasks")
        add("--engine", help="default: vllm where it is installed, else transformers")
        add("--out", type=Path, help="the run's folder (several tasks: a sub-folder each)")
        add("--limit", type=_positive, metavar="N", help="use the first N samples only")
        add("--allow-subset", action="store_true", help="skip samples whose videos are missing")
        add("--batch-size", type=_batch_size, default=EngineOptions().batch_size, metavar="N")
        add("--dtype", default=EngineOptions().dtype, help="default: %(default)s")
        add("--seed", type=_seed, default=EngineOptions().seed, help="default: %(default)s")
        add("--decoder", default="pyav", help="default: %(default)s")
        add("--trust-remote-code", action="store_true", help="let the checkpoint run its code")
        add(
            "--engine-arg",
            action="append",
            default=[],
            type=_assignment,
            metavar="KEY=VALUE",
            help="passed to the engine, VALUE as JSON or text; may be repeated",
        )
        add("--json", metavar="OUT", help="write the results as JSON (- is standard output)")
        add("--plan", action="store_true", help="show what would be done, start nothing")
        add("--quiet", action="store_true", help="no progress, no table")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Run, print, return the exit status."""
        names = [name.strip() for name in args.tasks.split(",") if name.strip()]
        if not names or len(set(names)) < len(names):
            raise UserError("--tasks needs task names, each once: --tasks charades_sta,synth_vtg")
        _check_output(args.json)
        options = _options(args)
        for name in names:
            resolve_task(options, name, registry)
        with closing(Runner(options, registry)) as runner:
            setups = [runner.setup(name) for name in names]
            folders = [_folder(args.out, setup, len(setups)) for setup in setups]
            plans = runner.preflight(setups, folders)
            if args.plan:
                runs = zip(setups, folders, plans, strict=True)
                _print_plans([_plan_summary(runner, *run) for run in runs], args.json)
                return 0
            finished: list[TaskResults] = []
            for setup, folder in zip(setups, folders, strict=True):
                outcome = runner.run(setup, folder)
                if outcome.results is None:
                    warn(
                        f"{outcome.answered} of {outcome.asked} answered; "
                        "run the same command again to finish."
                    )
                    return INTERRUPTED
                finished.append(outcome.results)
                _show(outcome.results, folder, args)
        if args.json:
            _write([results.to_json() for results in finished], args.json)
        return 1 if any(results.lost or results.non_finite for results in finished) else 0


def _options(args: Namespace) -> RunOptions:
    return RunOptions(
        model=args.model,
        base=args.base,
        protocol=args.protocol,
        split=args.split,
        data_root=args.data_root,
        engine=args.engine,
        engine_options=EngineOptions(
            dtype=args.dtype,
            seed=args.seed,
            batch_size=args.batch_size,
            trust_remote_code=args.trust_remote_code,
            extra=dict(args.engine_arg),
        ),
        decoder=args.decoder,
        limit=args.limit,
        allow_subset=args.allow_subset,
        quiet=args.quiet,
        command=tuple(sys.argv),
    )


def _folder(out: Path | None, setup: RunSetup, setups: int) -> Path:
    if out is None:
        return RUNS_FOLDER / setup.spec.folder_name
    return out if setups == 1 else out / setup.spec.task


def _show(results: TaskResults, folder: Path, args: Namespace) -> None:
    """Print the tables, to standard error where standard output carries JSON."""
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
    if not args.quiet:
        stream = sys.stderr if args.json == "-" else None
        show(f"\n{report(results)}\n\nrun folder: {folder}", stream)


def _plan_summary(runner: Runner, setup: RunSetup, folder: Path, plan: Plan) -> dict[str, Any]:
    remaining = estimate(plan, runner.model.adapter, setup.spec.protocol.frames)
    return {
        "task": setup.spec.task,
        "folder": str(folder),
        "asked": len(plan.samples),
        "left": asdict(remaining),
        "subset": asdict(plan.subset),
        "note": "" if plan.subset.whole else subset_line(plan.subset),
    }


def _print_plans(plans: list[dict[str, Any]], out: str | None) -> None:
    if out:
        _write(plans, out)
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
        if plan["note"]:
            show(plan["note"])


def _write(tables: list[dict[str, Any]], out: str) -> None:
    """Write one table as it is, several as a list."""
    value: Any = tables[0] if len(tables) == 1 else tables
    if out == STANDARD_OUTPUT:
        write_lines(out, [json.dumps(value, indent=2)])
    else:
        write_json(Path(out), value)


def _positive(text: str) -> int:
    return _whole(text, 1, sys.maxsize)


def _batch_size(text: str) -> int:
    return _whole(text, 1, LARGEST_BATCH)


def _seed(text: str) -> int:
    return _whole(text, 0, LARGEST_SEED)


def _whole(text: str, least: int, most: int) -> int:
    # the length first: Python does not read numbers of thousands of digits
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def _check_output(target: str | None) -> None:
    """Raise UserError for an output file that cannot be written at the end of the run."""
    if target is None or target == STANDARD_OUTPUT:
        return
    path = Path(target)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"{target} cannot be written: it is a folder, or its folder is missing.")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UserError(f"{target} cannot be written. Name another output file.")


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
