"""Scores before and after training, by vtg-eval's own runner on the recipe's tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from vtg_eval.engines.base import EngineOptions
from vtg_eval.files.json_files import read_object
from vtg_eval.files.owned_folder import REMEDY
from vtg_eval.registry import Registry
from vtg_eval.run.devices import ONE_PROCESS, DeviceOptions
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.results import TaskResults, load_results
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions, RunSetup

from .recipe import EvaluationRule
from .workspace import Workspace

START, TRAINED = "start", "trained"


def scored(workspace: Workspace) -> Mapping[str, str]:
    """Return the checkpoints to score by name: "start", and "trained" where a stage trains."""
    recipe = workspace.recipe
    rule = recipe.evaluation or EvaluationRule()
    trained = workspace.sft if recipe.sft else None
    if recipe.rl:
        trained = workspace.rounds[-1].rl
    checkpoints = {}
    if rule.start or trained is None:
        checkpoints[START] = recipe.model.checkpoint
    if trained is not None:
        checkpoints[TRAINED] = str(trained / "checkpoint")
    return checkpoints


def run_folder(workspace: Workspace, name: str, task: str) -> Path:
    """Return the run folder of a checkpoint on a task, or a task's split."""
    return workspace.folder / "evaluation" / name / task.replace(":", "-")


def check_evaluation(
    workspace: Workspace, registry: Registry, devices: DeviceOptions = ONE_PROCESS
) -> None:
    """Check, before training, that the tasks to score can be run; raises UserError."""
    rule = workspace.recipe.evaluation or EvaluationRule()
    options = _options(workspace, workspace.recipe.model.checkpoint, devices)
    with closing(Runner(options, registry)) as runner:
        for task in rule.tasks:
            runner.plan(_setup(runner, task), run_folder(workspace, START, task))


def run_evaluation(
    workspace: Workspace, registry: Registry, devices: DeviceOptions = ONE_PROCESS
) -> None:
    """Score each checkpoint on each task, and resume an interrupted run.

    devices: which answer; the results do not depend on how many. Raises KeyboardInterrupt when it
    is interrupted, UserError when it cannot continue.
    """
    rule = workspace.recipe.evaluation or EvaluationRule()
    for name, checkpoint in scored(workspace).items():
        with closing(Runner(_options(workspace, checkpoint, devices), registry)) as runner:
            for task in rule.tasks:
                outcome = runner.run(_setup(runner, task), run_folder(workspace, name, task))
                if outcome.results is None:
                    raise KeyboardInterrupt


def evaluation_results(workspace: Workspace) -> Iterator[Sequence[tuple[str, TaskResults]]]:
    """Yield, for each task, the name and results of each checkpoint that has results."""
    for task in (workspace.recipe.evaluation or EvaluationRule()).tasks:
        files = {
            name: RunFolder(run_folder(workspace, name, task)).results_file
            for name in scored(workspace)
        }
        yield [
            (name, load_results(read_object(p, REMEDY))) for name, p in files.items() if p.is_file()
        ]


def _setup(runner: Runner, task: str) -> RunSetup:
    name, _, split = task.partition(":")
    return runner.setup(name, split or None)


def _options(workspace: Workspace, checkpoint: str, devices: DeviceOptions) -> RunOptions:
    recipe = workspace.recipe
    rule = recipe.evaluation or EvaluationRule()
    return RunOptions(
        model=checkpoint,
        protocol=rule.protocol or recipe.model.protocol,
        engine=rule.engine or None,
        engine_options=EngineOptions(extra=devices.engine_arguments),
        limit=rule.limit or None,
        quiet=not sys.stderr.isatty(),
        command=tuple(sys.argv),
        devices=devices.devices,
        tensor_parallel=devices.tensor_parallel,
    )
