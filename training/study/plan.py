"""The cost of a study: a row for each arm, and the sum of all trainings."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from vtg_eval.registry import Registry

from ..data.task_data import with_task_data
from ..plan.plan import ASSUMED, Hardware, TrainingPlan
from ..plan.plan import plan as make_plan
from .study import Arm, Study

ONE_PROCESS = Hardware("single", 1)  # for each training of a study

Plans = Sequence[tuple[Arm, TrainingPlan]]


def study_plans(study: Study, registry: Registry) -> Plans:
    """Return each arm with the plan of one seed; raises UserError as `plan` does."""
    return [(arm, _plan(arm, registry)) for arm in study.arms]


def study_json(study: Study, plans: Plans) -> dict[str, object]:
    """Return the plans as plain values."""
    arms = [{"arm": arm.name, "plan": plan.to_json()} for arm, plan in plans]
    return {"study": study.name, "seeds": list(study.seeds), "arms": arms}


def study_table(study: Study, plans: Plans) -> str:
    """Return the plans as text."""
    seeds = len(study.seeds)
    hours = sum(_hours(plan) * (seeds if arm.trains else 1) for arm, plan in plans)
    return "\n".join(
        [
            f"{study.name}: {study.summary}",
            "",
            tabulate([_row(arm, plan) for arm, plan in plans], headers="keys", tablefmt="plain"),
            "",
            f"{seeds} seeds of each arm that trains: {hours:.2g} hours in all, scoring not counted",
            "",
            "assumed:",
            *(f"- {text}" for text in ASSUMED),
        ]
    )


def _plan(arm: Arm, registry: Registry) -> TrainingPlan:
    return make_plan(
        with_task_data(arm.recipe, registry), ONE_PROCESS, arm.name, arm.name, registry
    )


def _hours(plan: TrainingPlan) -> float:
    return sum(stage.hours or 0.0 for stage in plan.stages)


def _row(arm: Arm, plan: TrainingPlan) -> dict[str, object]:
    sft, rl = arm.recipe.sft, arm.recipe.rl
    return {
        "arm": arm.name,
        "samples learnt by SFT": f"{sft.steps * sft.batch:,}" if sft else "-",
        "prompts of RL": f"{rl.steps * rl.prompts:,}" if rl else "-",
        "answers": f"{sum(stage.completions for stage in plan.stages):,}",
        "GiB": f"{max((stage.gib for stage in plan.stages), default=0.0):.1f}",
        "hours": f"{_hours(plan):.2g}",
    }
