"""All stages of a recipe (curate, sft, difficulty, rl, evaluation), each run once, then the report.

run.json in the working folder records, for each finished stage, all that its result depends on. A
stage runs as the command that `vtg-train plan` shows for it. This is a separate process, so that
accelerate can start several, and its memory is free afterwards. Each stage resumes by itself.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.checkpoint.fingerprint import checkpoint_digest
from vtg_eval.checkpoint.resolve import resolve_whole
from vtg_eval.engines.watchdog import Watchdog
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.json_files import plain_json, read_object, write_json
from vtg_eval.files.owned_folder import REMEDY, require_same
from vtg_eval.registry import Registry
from vtg_eval.run.inference import terminable
from vtg_eval.run.paths import cache_folder
from vtg_eval.run.requests import probe_request

from .difficulty import check_difficulty
from .evaluation import check_evaluation, run_evaluation, run_folder, scored
from .plan.memory import ZERO
from .plan.plan import TrainingPlan
from .recipe import Recipe, recorded
from .run_report import run_report
from .workspace import Workspace, curate_data, data_metadata, round_name

PROGRAMS: Mapping[str, tuple[str, ...]] = {  # the programs in a plan's commands
    "vtg-train": (sys.executable, "-m", "vtg_eval.training.cli"),
    "accelerate": (sys.executable, "-m", "accelerate.commands.accelerate_cli"),
}
STOP_SECONDS = 10.0  # time for an interrupted stage to end by itself


class Step(NamedTuple):
    """One stage, of one round of RL. results: files that exist when it is finished.

    metadata: all that its result depends on; of the stages before it a digest only.
    """

    name: str
    stage: str
    metadata: Mapping[str, Any]
    results: tuple[Path, ...]


def run_recipe(workspace: Workspace, plan: TrainingPlan, registry: Registry) -> Path:
    """Lock the folder and run the recipe's unfinished stages in it; returns the report's path.

    Raises UserError as `run_stages` does, and where another process uses the folder or it holds
    something else.
    """
    with workspace.lock():
        return run_stages(workspace, plan, registry)


def run_stages(workspace: Workspace, plan: TrainingPlan, registry: Registry) -> Path:
    """Run the recipe's unfinished stages, in a locked folder; returns the report's path.

    Raises UserError where the folder holds the work of another recipe, where a stage fails, and
    for a plan of several machines; KeyboardInterrupt when it is interrupted.
    """
    if plan.machines > 1:
        raise UserError(
            "One command cannot start processes on other machines: run each stage's command, as "
            "vtg-train plan shows it, on every machine (that of difficulty on one)."
        )
    finished = FinishedStages(workspace.folder)
    stages = list(steps(workspace, registry))
    for step in stages:
        finished.check(step)
    unfinished = {step.stage for step in stages if not finished.has(step)}
    if unfinished & {"sft", "rl"} and plan.launch in ZERO and find_spec("deepspeed") is None:
        raise UserError(
            f"--launch {plan.launch} needs DeepSpeed: install the extra deepspeed, or use --launch "
            "fsdp2."
        )
    if unfinished & {"sft", "difficulty", "rl"}:
        _check_start(workspace.recipe.model.checkpoint, registry)
    if "difficulty" in unfinished:
        check_difficulty(workspace.recipe, registry, plan.answering)
    if "evaluation" in unfinished:
        check_evaluation(workspace, registry, plan.answering)
    for step in stages:
        if finished.has(step):
            log(f"{step.name}: done before")
            continue
        log(f"{step.name} …")
        _run(step, workspace, plan, registry)
        finished.add(step)
    report = workspace.folder / "report.md"
    write_text(report, run_report(workspace))
    return report


def _check_start(reference: str, registry: Registry) -> None:
    """Find what is wrong with the start checkpoint before any data is read; raises UserError."""
    from vtg_eval.engines.loading import check_checkpoint  # needs the extra hf, as training does

    checkpoint, entry = resolve_whole(reference, registry)
    if checkpoint.path is not None:
        adapter = registry.adapter(entry.name)(checkpoint)
        check_checkpoint(checkpoint.path, partial(probe_request, adapter))


def steps(workspace: Workspace, registry: Registry) -> Iterator[Step]:
    """Yield the recipe's stages in order."""
    settings, previous = _stage_settings(workspace.recipe, registry), ""
    for name, stage, results in _results(workspace):
        if stage in settings:
            metadata = plain_json({**settings[stage], "after": previous})
            yield Step(name, stage, metadata, results)
            previous = sha256(canonical(metadata))


def _results(workspace: Workspace) -> Iterator[tuple[str, str, tuple[Path, ...]]]:
    """Yield the name, the stage and the results of each step that a recipe can have, in order."""
    rule = workspace.recipe.evaluation
    yield "curate", "curate", (workspace.data, workspace.cold_start)
    yield "sft", "sft", (workspace.sft / "checkpoint",)
    for current in workspace.rounds:
        name = partial(round_name, number=current.number)
        yield name("difficulty"), "difficulty", (current.difficulty,)
        yield name("rl"), "rl", (current.rl / "checkpoint",)
    scores = [
        run_folder(workspace, name, task) / "results.json"
        for name in scored(workspace)
        for task in (rule.tasks if rule else ())
    ]
    yield "evaluation", "evaluation", tuple(scores)


def _stage_settings(recipe: Recipe, registry: Registry) -> Mapping[str, Mapping[str, Any]]:
    """Return the recipe's stages by name, each with the settings that its result depends on."""
    folder = resolve_whole(recipe.model.checkpoint, registry)[0].path
    if folder is None:
        raise UserError(f"{recipe.model.checkpoint} has no weights to train.")
    model = {**asdict(recipe.model), "checkpoint": checkpoint_digest(folder, cache_folder())}
    rules = {
        name: recorded(rule)
        for name in ("sft", "difficulty", "selection", "rewards", "rl", "evaluation")
        if (rule := getattr(recipe, name)) is not None
    }
    tables = {
        "sft": ("sft",),
        "difficulty": ("difficulty", "rewards"),
        "rl": ("selection", "rewards", "rl"),
        "evaluation": ("evaluation",),
    }
    settings: dict[str, Mapping[str, Any]] = {"curate": data_metadata(recipe)}
    for name, keys in tables.items():
        if name in rules:
            settings[name] = {"model": model, **{key: rules[key] for key in keys if key in rules}}
    return settings


class FinishedStages:
    """The file run.json of a folder: the metadata of each finished stage."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "run.json"
        self.stages = read_object(self._path, REMEDY)

    def check(self, step: Step) -> None:
        """Raise UserError where the stage was run with other settings."""
        if step.name in self.stages:
            label = f"The stage {step.name} in {self._path.parent}"
            require_same(label, self.stages[step.name], step.metadata)

    def has(self, step: Step) -> bool:
        """Tell whether the stage is finished and its results exist."""
        return step.name in self.stages and all(path.exists() for path in step.results)

    def add(self, step: Step) -> None:
        """Record that a stage is finished."""
        self.stages[step.name] = dict(step.metadata)
        write_json(self._path, self.stages)


def _run(step: Step, workspace: Workspace, plan: TrainingPlan, registry: Registry) -> None:
    match step.stage:
        case "curate":
            curate_data(workspace, registry)
        case "evaluation":
            run_evaluation(workspace, registry, plan.answering)
        case _:
            command = next(stage.command for stage in plan.stages if stage.name == step.name)
            _start(step.name, shlex.split(command))


def _start(name: str, command: list[str]) -> None:
    """Run a stage's command to its end; its standard error is shown as it comes."""
    process = subprocess.Popen([*PROGRAMS[command[0]], *command[1:]], stdout=subprocess.DEVNULL)
    watchdog = Watchdog([process.pid])  # ends the stage with this process, even if that is killed
    try:
        with terminable():
            status = process.wait()
    except KeyboardInterrupt:
        _stop(process)
        raise
    finally:
        watchdog.close()
    if status:
        raise UserError(
            f"The stage {name} ended with status {status}; its message is above. Its work is "
            "kept: run the same command again to resume."
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log(line: str) -> None:
    """Print a line about the progress to standard error."""
    print(f"vtg-train: {line}", file=sys.stderr, flush=True)
