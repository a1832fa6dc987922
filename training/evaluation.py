"""Scores before and after training, by vtg-eval's own runner on the recipe's tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from vtg_eval.files.json_files import read_object
from vtg_eval.files.owned_folder import REMEDY
from vtg_eval.registry import Registry
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.results import TaskResults, load_results
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions, RunSetup

from .recipe import EvaluationRule
from .workspace import Workspace

START, TRAINED = "start", "trained"


def scored(workspace: Workspace) -> Mapping[str, str]:
    """Return the checkpoints to score by their names: "start", "trained" where there is one."""
    recipe = workspace.recipe
    rule = recipe.evaluation or EvaluationRule()
    trained = workspace.rl if recipe.rl else workspace.sft if recipe.sft else None
    found = {}
    if rule.start or trained is None:
        found[START] = recipe.model.checkpoint
    if trained is not None:
        found[TRAINED] = str(trained / "checkpoint")
    return found


def run_folder(workspace: Workspace, name: str, task: str) -> Path:
    """Return the run folder of a checkpoint on a task, or a task's split."""
    return workspace.folder / "evaluation" / name / task.replace(":", "-")


def check_evaluation(workspace: Workspace, registry: Registry) -> None:
    """See, before anything is trained, that what will be scored is there; raises UserError."""
    rule = workspace.recipe.evaluation or EvaluationRule()
    with closing(
        Runner(_options(workspace, workspace.recipe.model.checkpoint), registry)
    ) as runner:
        for task in rule.tasks:
            runner.plan(_case(runner, task), run_folder(workspace, START, task))


def run_evaluation(workspace: Workspace, registry: Registry) -> None:
    """Score each checkpoint on each task, from where it was left.

    Raises KeyboardInterrupt where someone stops it, UserError where it cannot go on.
    """
    rule = workspace.recipe.evaluation or EvaluationRule()
    for name, checkpoint in scored(workspace).items():
        with closing(Runner(_options(workspace, checkpoint), registry)) as runner:
            for task in rule.tasks:
                outcome = runner.run(_case(runner, task), run_folder(workspace, name, task))
                if outcome.results is None:
                    raise KeyboardInterrupt


def evaluation_results(workspace: Workspace) -> Iterator[Sequence[tuple[str, TaskResults]]]:
    """Yield, for each task, each checkpoint's name and results, as far as they are there."""
    for task in (workspace.recipe.evaluation or EvaluationRule()).tasks:
        files = {
            name: RunFolder(run_folder(workspace, name, task)).results_file
            for name in scored(workspace)
        }
        yield [
            (name, load_results(read_object(p, REMEDY))) for name, p in files.items() if p.is_file()
        ]


def _case(runner: Runner, task: str) -> RunSetup:
    name, _, split = task.partition(":")
    return runner.setup(name, split or None)


def _options(workspace: Workspace, checkpoint: str) -> RunOptions:
    recipe = workspace.recipe
    rule = recipe.evaluation or EvaluationRule()
    return RunOptions(
        model=checkpoint,
        protocol=rule.protocol or recipe.model.protocol,
        engine=rule.engine or None,
        limit=rule.limit or None,
        quiet=not sys.stderr.isatty(),
        command=tuple(sys.argv),
    )
