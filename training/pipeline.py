"""The whole recipe: curate, sft, difficulty, rl, evaluation, each done once, then the report.

run.json in the working folder says of each stage that is done what it was made of. A stage runs
as the command that `vtg-train plan` shows for it: a process of its own, so that it may be several
(accelerate starts them) and leaves no memory taken. Each resumes by itself.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.checkpoint.fingerprint import checkpoint_digest
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.watchdog import Watchdog
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.json_files import plain_json, read_object, write_json
from vtg_eval.files.owned_folder import REMEDY, require_same
from vtg_eval.registry import Registry
from vtg_eval.run.inference import terminable

from .evaluation import check_evaluation, run_evaluation, run_folder, scored
from .plan.plan import TrainingPlan
from .recipe import Recipe
from .run_report import run_report
from .workspace import Workspace, curate_data, data_metadata

PYTHON: Mapping[str, tuple[str, ...]] = {  # the programs that a plan's commands name
    "vtg-train": (sys.executable, "-m", "vtg_eval.training.cli"),
    "accelerate": (sys.executable, "-m", "accelerate.commands.accelerate_cli"),
}
LAST_SECONDS = 10.0  # that a stopped stage has to end by itself


class Step(NamedTuple):
    """One stage: all that it is made of (without what it shares with the stages before it, of
    which there is a digest) and the files that are there when it is done.
    """

    name: str
    metadata: Mapping[str, Any]
    results: tuple[Path, ...]


def run_recipe(workspace: Workspace, plan: TrainingPlan, registry: Registry) -> Path:
    """Hold the folder and run what is not done of a recipe in it; returns the report's path.

    Raises UserError as `run_stages` does, and where another process is at work in the folder or it
    holds something else.
    """
    with workspace.lock():
        return run_stages(workspace, plan, registry)


def run_stages(workspace: Workspace, plan: TrainingPlan, registry: Registry) -> Path:
    """Run what is not done of a recipe, in a folder that is held; returns the report's path.

    Raises UserError where the folder holds another recipe's work, where a stage cannot go on,
    and for a plan of several machines; KeyboardInterrupt where someone stops it.
    """
    if plan.machines > 1:
        raise UserError(
            "One command cannot start processes on other machines: run each stage's command, as "
            "vtg-train plan shows it, on every one of them."
        )
    done = _Done(workspace.folder / "run.json")
    stages = list(steps(workspace, registry))
    for step in stages:
        done.check(step)
    if any(step.name == "evaluation" and not done.has(step) for step in stages):
        check_evaluation(workspace, registry)
    for step in stages:
        if done.has(step):
            _say(f"{step.name}: done before")
            continue
        _say(f"{step.name} …")
        _run(step.name, workspace, plan, registry)
        done.add(step)
    report = workspace.folder / "report.md"
    write_text(report, run_report(workspace))
    return report


def steps(workspace: Workspace, registry: Registry) -> Iterator[Step]:
    """Yield the recipe's stages in order."""
    recipe, after = workspace.recipe, ""
    results = {
        "curate": (workspace.data, workspace.cold_start),
        "sft": (workspace.sft / "checkpoint",),
        "difficulty": (workspace.difficulty,),
        "rl": (workspace.rl / "checkpoint",),
        "evaluation": tuple(
            run_folder(workspace, name, task) / "results.json"
            for name in scored(workspace)
            for task in (recipe.evaluation.tasks if recipe.evaluation else ())
        ),
    }
    for name, own in _metadata(recipe, registry).items():
        metadata = plain_json({**own, "after": after})
        yield Step(name, metadata, results[name])
        after = sha256(canonical(metadata))


def _metadata(recipe: Recipe, registry: Registry) -> Mapping[str, Mapping[str, Any]]:
    """Return the stages that the recipe has, and what of it each is made of."""
    folder = resolve(recipe.model.checkpoint, registry)[0].path
    if folder is None:
        raise UserError(f"{recipe.model.checkpoint} has no weights to train.")
    model = {**asdict(recipe.model), "checkpoint": checkpoint_digest(folder)}
    rules = {
        name: asdict(rule)
        for name in ("sft", "difficulty", "selection", "rewards", "rl", "evaluation")
        if (rule := getattr(recipe, name)) is not None
    }
    of = {
        "sft": ("sft",),
        "difficulty": ("difficulty", "rewards"),
        "rl": ("selection", "rewards", "rl"),
        "evaluation": ("evaluation",),
    }
    found: dict[str, Mapping[str, Any]] = {"curate": data_metadata(recipe)}
    for name, parts in of.items():
        if name in rules:
            found[name] = {"model": model, **{p: rules[p] for p in parts if p in rules}}
    return found


class _Done:
    """The file run.json: the stages that are done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stages = read_object(path, REMEDY)

    def check(self, step: Step) -> None:
        """Raise UserError where the stage was done with something else."""
        if step.name in self.stages:
            place = f"The stage {step.name} in {self._path.parent}"
            require_same(place, self.stages[step.name], step.metadata)

    def has(self, step: Step) -> bool:
        """Tell whether the stage is done and its results are there."""
        return step.name in self.stages and all(path.exists() for path in step.results)

    def add(self, step: Step) -> None:
        """Note that a stage is done."""
        self.stages[step.name] = dict(step.metadata)
        write_json(self._path, self.stages)


def _run(name: str, workspace: Workspace, plan: TrainingPlan, registry: Registry) -> None:
    match name:
        case "curate":
            curate_data(workspace, registry)
        case "evaluation":
            run_evaluation(workspace, registry)
        case _:
            command = next(stage.command for stage in plan.stages if stage.name == name)
            _start(name, shlex.split(command))


def _start(name: str, words: list[str]) -> None:
    """Run a stage's command to its end; what it says on standard error is shown as it comes."""
    process = subprocess.Popen([*PYTHON[words[0]], *words[1:]], stdout=subprocess.DEVNULL)
    watchdog = Watchdog([process.pid])  # it ends with this process, whatever ends that
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
            f"The stage {name} ended with status {status}; what it said stands above. What it did "
            "is kept: run the same command again to go on."
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LAST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _say(line: str) -> None:
    print(f"vtg-train: {line}", file=sys.stderr, flush=True)
