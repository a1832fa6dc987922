"""A plan as text."""

from __future__ import annotations

from tabulate import tabulate

from .plan import StagePlan, TrainingPlan


def table(found: TrainingPlan) -> str:
    """Return the plan as text."""
    machines = f" on {found.machines} machines" if found.machines > 1 else ""
    lines = [
        f"{found.recipe}: {found.checkpoint}, {_count(found.parameters)} parameters; "
        f"{found.launch}, {found.devices} device(s){machines}",
        f"longest video: {found.frames} frames, {found.video_tokens} visual tokens",
        "",
        tabulate([_row(stage) for stage in found.stages], headers="keys", tablefmt="plain"),
    ]
    for stage in found.stages:
        parts = ", ".join(f"{name} {gib:.1f}" for name, gib in stage.memory.items())
        lines += ["", f"{stage.name}: GiB on each device: {parts}", f"  {stage.command}"]
    return "\n".join([*lines, "", "assumed:", *(f"- {text}" for text in found.assumed)])


def _count(number: int) -> str:
    return f"{number / 1e9:.3g} billion" if number >= 1e9 else f"{number / 1e6:.3g} million"


def _row(stage: StagePlan) -> dict[str, object]:
    def known(value: float | None, form: str) -> str:
        return "?" if value is None else format(value, form)

    return {
        "stage": stage.name,
        "samples": known(stage.samples, ",d"),
        "steps": stage.steps or "-",
        "answers": f"{stage.completions:,}" if stage.completions else "-",
        "tokens, longest": f"{stage.tokens:,}",
        "tokens, all": known(stage.all_tokens, ".2e"),
        "GiB": f"{stage.gib:.1f}",
        "hours": known(stage.hours, ".2g"),
    }
