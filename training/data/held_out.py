"""Which tasks are held out: the training data must not touch their evaluation splits."""

from __future__ import annotations

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

from ..recipe import EvaluationRule, Recipe
from .leaks import Evaluation


def held_out_tasks(recipe: Recipe, registry: Registry) -> frozenset[str]:
    """Return the names of the held-out tasks.

    They are those of data.against. Without it they are the tasks of [evaluation] and those that
    score the same videos by other annotations (`Card.reannotates`), so that a task whose
    annotations are not installed is checked by the other. A task that divides the videos of another
    one anew is not among them: it scores videos that the other trains on. Without [evaluation] they
    are all. Raises UserError for an unknown name.
    """
    if recipe.data.against:
        return frozenset(registry.task(name).card.name for name in recipe.data.against)
    scored = {task.partition(":")[0] for task in (recipe.evaluation or EvaluationRule()).tasks}
    if not scored:
        return frozenset(registry.tasks)
    annotated = {registry.task(name).card.reannotates or name for name in scored}
    return frozenset(
        name for name in registry.tasks if name in scored or _annotated(name, registry) in annotated
    )


def check_readable(recipe: Recipe, evaluation: Evaluation) -> None:
    """Raise UserError for a task of data.against of which no split can be read."""
    read = {split.task for split in evaluation.splits}
    for name in recipe.data.against:
        if name not in read:
            reasons = [split.reason for split in evaluation.unchecked if split.task == name]
            raise UserError(
                f"data.against names {name}, but the training data cannot be compared with it: "
                f"{reasons[0] if reasons else 'it has no evaluation split.'}"
            )


def _annotated(name: str, registry: Registry) -> str:
    """Return the task whose videos a task has annotated anew, itself for most."""
    try:
        return str(registry.task(name).card.reannotates or name)
    except UserError:  # a task that cannot be loaded is compared with nothing
        return name
