"""What `vtg-eval run` and `vtg-eval probe` print and write: plans, warnings, tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from vtg_eval.adapter import TimeText
from vtg_eval.cli.command import STANDARD_OUTPUT, write_lines
from vtg_eval.console.streams import show, warn
from vtg_eval.console.text import wrapped
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import indented, write_json
from vtg_eval.report.tables import report, subset_line
from vtg_eval.run.paths import frames_folder
from vtg_eval.run.plan import Plan
from vtg_eval.run.results import TaskResults
from vtg_eval.run.runner import Outcome, Runner
from vtg_eval.run.setup import RunSetup
from vtg_eval.run.spec import RunSpec
from vtg_eval.run.speeds import FEWEST, known_speed, speeds_folder
from vtg_eval.run.usage import Usage
from vtg_eval.video.entry_folder import EntryFolder

INTERRUPTED = 130
DEVICES = (1, 2, 4, 8)  # for which a plan gives the time


def interrupted(outcome: Outcome) -> int:
    """Say how to go on after an interrupted run; return the exit status."""
    warn(f"{outcome.answered} of {outcome.asked} answered; run the same command again to finish.")
    return INTERRUPTED


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
            f"says; {folder / 'journal.jsonl'} has the reasons. The run's command tries them again."
        )
    if results.non_finite:
        warn(
            f"the model is broken: on {results.non_finite} of {results.n_expected} samples its "
            "logits are NaN or infinite. They have no answer and are not asked again; check the "
            "training that made the checkpoint, or try --dtype float32."
        )


def warn_reuse(usage: Usage | None) -> None:
    """Warn where each query computed its video anew."""
    if usage is not None and usage.lacks_reuse:
        warn(
            f"the engine's prefix cache had no hits, although {usage.repeats} answers are about a "
            "video that had one before: each computed its video anew. That is so where the "
            "question is before the video, and with some hybrid models."
        )


def show_results(
    results: TaskResults, folder: Path, spec: RunSpec, out: str | None, usage: Usage | None = None
) -> None:
    """Print the tables of a run. usage: of the session that ends.

    out: where the results are written as JSON; if to standard output, tables go to standard error.
    """
    used = () if usage is None else usage.lines
    lines = filter(None, (time_text_line(spec.time_text), *used, f"run folder: {folder}"))
    stream = sys.stderr if out == STANDARD_OUTPUT else None
    show("\n".join((f"\n{report(results)}\n", *lines)), stream)


def progress_table(spec: RunSpec, folder: Path, answered: int, asked: int) -> dict[str, Any]:
    """Return how far a shard, or an unfinished run, is, as plain JSON values."""
    return {"task": spec.task, "folder": str(folder), "answered": answered, "asked": asked}


def plan_summary(runner: Runner, setup: RunSetup, folder: Path, plan: Plan) -> dict[str, Any]:
    """Return what a run would do, as plain JSON values."""
    change = setup.spec.transformation
    speed = known_speed(speeds_folder(), setup.spec)
    return {
        "task": setup.spec.task,
        "folder": str(folder),
        "time_text": setup.spec.time_text,
        "shard": str(runner.options.shard or ""),
        "asked": len(plan.asked),
        "left": asdict(runner.estimate(setup, plan)),
        "frames_limit": EntryFolder(frames_folder(), runner.options.frames_limit).limit,
        "ahead": runner.processes * (runner.decode_workers + 1),
        "processes": runner.processes,
        "speed": None if speed is None else asdict(speed),
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
        lines = (wrapped(line, "    ") for line in _cost_lines(plan))
        show("\n".join((*lines, f"run folder: {plan['folder']}")))
        if line := time_text_line(plan["time_text"]):
            show(line)
        if plan["note"]:
            show(wrapped(plan["note"]))


def _cost_lines(plan: dict[str, Any]) -> Iterator[str]:
    """Yield what is left to do in words."""
    left, speed = plan["left"], plan["speed"]
    part = f", shard {plan['shard']}" if plan["shard"] else ""
    yield (
        f"{plan['task']}{part}: {plan['asked']} samples, {left['samples']} left to ask on "
        f"{left['videos']} videos"
    )
    if left["frames"]:
        ahead = min(plan["ahead"], left["videos"])
        yield f"  {left['frames']:,} frames, decoded once for all queries of a video"
        yield (
            f"  disk: about {_size(left['disk'])} of frames; the frame store may hold "
            f"{_size(plan['frames_limit'])}"
        )
        yield (
            f"  memory: about {_size(ahead * left['memory'])} of frames at a time, for {ahead} "
            "videos"
        )
        yield (
            f"  at most {left['tokens']:,} visual tokens, {left['shared_tokens']:,} if each "
            "video's are computed once"
        )
    yield f"  at most {left['answer_tokens']:,} tokens of answers"
    if speed is None:
        yield f"  time: not known before a run of {FEWEST} samples here (--limit {FEWEST})"
    else:
        counts = sorted({*DEVICES, plan["processes"]})
        one = left["seconds"] * plan["processes"]
        hours = [f"{timedelta(seconds=round(one / count))} on {count}" for count in counts]
        yield (
            f"  time: about {', '.join(hours)} engines, without their start, by the run of "
            f"{speed['day']}"
        )


def _size(number: float) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"


def write_tables(tables: list[dict[str, Any]], out: str) -> None:
    """Write one table as it is, several as a list."""
    value: Any = tables[0] if len(tables) == 1 else tables
    if out == STANDARD_OUTPUT:
        write_lines(out, [indented(value)])
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
