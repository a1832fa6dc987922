"""A plan as text."""

from __future__ import annotations

from tabulate import tabulate

from .plan import StagePlan, TrainingPlan


def plan_table(plan: TrainingPlan) -> str:
    """Return the plan as text."""
    machines = f" on {plan.machines} machines" if plan.machines > 1 else ""
    lines = [
        f"{plan.recipe}: {plan.checkpoint}, {_count(plan.parameters)} parameters; "
        f"{plan.launch}, {plan.devices} device(s){machines}",
        f"longest video: {plan.frames} frames, {plan.video_tokens} visual tokens",
        "",
        tabulate([_row(stage) for stage in plan.stages], headers="keys", tablefmt="plain"),
    ]
    for stage in plan.stages:
        parts = ", ".join(f"{name} {gib:.1f}" for name, gib in stage.memory.items())
        lines += ["", f"{stage.name}: GiB on each device: {parts}", f"  {stage.command}"]
    return "\n".join([*lines, "", "assumed:", *(f"- {text}" for text in plan.assumed)])


def _count(number: int) -> str:
    return f"{number / 1e9:.3g} billion" if number >= 1e9 else f"{number / 1e6:.3g} million"


def _row(stage: StagePlan) -> dict[str, object]:
    def cell(value: float | None, form: str) -> str:
        return "?" if value is None else format(value, form)

    return {
        "stage": stage.name,
        "samples": cell(stage.samples, ",d"),
        "steps": stage.steps or "-",
        "answers": f"{stage.completions:,}" if stage.completions else "-",
        "tokens, longest": f"{stage.tokens:,}",
        "tokens, all": cell(stage.all_tokens, ".2e"),
        "GiB": f"{stage.gib:.1f}",
        "hours": cell(stage.hours, ".2g"),
    }
