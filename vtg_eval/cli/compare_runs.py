"""What `vtg-eval compare` does: compare runs, or plan how many samples an effect size needs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from vtg_eval.annotations.split import read_split
from vtg_eval.api.compare import compare
from vtg_eval.cli.command import write_lines
from vtg_eval.comparison.compare import FORMAT
from vtg_eval.comparison.plan_request import CORRELATION, EFFECTS, WITHIN, PlanRequest
from vtg_eval.comparison.sample_size import SampleSizePlan, plan_from_figure, plan_from_runs
from vtg_eval.comparison.scored_run import ScoredRun, ScoringOptions, scored_runs
from vtg_eval.console.streams import show, warn
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import indented
from vtg_eval.registry import Registry
from vtg_eval.report.comparison_tables import comparison_report, plan_table
from vtg_eval.run.paths import data_root


def compare_or_plan(args: Namespace, registry: Registry) -> int:
    """Compare or plan; print tables, or write JSON."""
    if args.plan:
        plan = _plan(args, registry)
        _write(args.json, plan.to_json(), plan_table(plan))
        return 0
    _refuse_plan_arguments(args)
    if len(args.runs) < 2:
        raise UserError("Name two runs or more: RUN_A RUN_B.")
    comparisons = compare(
        *args.runs,
        metric=args.metric,
        protocol=args.protocol,
        task=args.task,
        split=args.split,
        data_root=args.data_root,
        registry=registry,
    )
    _warn_of_coverage(comparisons.runs, args.split)
    table = {"format": FORMAT, "comparisons": [c.to_json() for c in comparisons]}
    _write(args.json, table, "\n\n\n".join(map(comparison_report, comparisons)))
    return 1 if any(run.coverage and run.coverage.poor for run in comparisons.runs) else 0


def _warn_of_coverage(runs: Sequence[ScoredRun], split: str | None) -> None:
    """Warn of files of predictions that do not fit the samples."""
    for run in runs:
        if run.coverage and (line := run.coverage.line(run.task, split)):
            warn(f"{run.name}: {line}")


def _plan(args: Namespace, registry: Registry) -> SampleSizePlan:
    request = PlanRequest(
        samples=args.samples or (),
        effects=args.effect or EFFECTS,
        correlation=CORRELATION if args.correlation is None else args.correlation,
        within=WITHIN if args.within is None else args.within,
    )
    if args.runs:
        unused = {"--figure": args.figure, "--within": args.within, "--metric": args.metric}
        if len(args.runs) == 2:
            unused["--correlation"] = args.correlation
        _refuse(unused, "is for plans from fewer runs: leave it out")
        if len(args.runs) > 2:
            raise UserError("A plan is made from one run or from two: name fewer runs.")
        options = ScoringOptions(args.data_root, args.protocol, args.task, args.split)
        runs = scored_runs(args.runs, registry, options)
        _warn_of_coverage(runs, args.split)
        return plan_from_runs(runs, request)
    if args.task is None or args.figure is None:
        raise UserError("Name one or two runs to plan from, or else --task and --figure.")
    task = registry.task(args.task)
    split = task.card.split(args.split)
    samples = read_split(task, data_root(task, args.data_root), split)
    return plan_from_figure(f"{task.card.name} {split}", samples, args.figure, request)


def _refuse_plan_arguments(args: Namespace) -> None:
    names = ("effect", "samples", "figure", "correlation", "within")
    _refuse(
        {f"--{name}": getattr(args, name) for name in names},
        "is used only with --plan: add --plan, or leave it out",
    )


def _refuse(values: dict[str, Any], reason: str) -> None:
    for name, value in values.items():
        if value is not None:
            raise UserError(f"{name} {reason}.")


def _write(target: str | None, table: dict[str, Any], text: str) -> None:
    if target:
        write_lines(target, [indented(table)])
    else:
        show(text)
