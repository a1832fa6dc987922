"""Comparisons and sample-size plans as text tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vtg_eval.comparison.changed_samples import AnswerSummary, ChangedSample
from vtg_eval.comparison.compare import Comparison, MetricEstimate, MetricRow, RunSummary
from vtg_eval.comparison.sample_size import SampleSizePlan
from vtg_eval.console.tables import text_table
from vtg_eval.report.tables import NOTHING, SHOWN_GROUPS, cell, interval_cell

SHOWN_CHARACTERS = 48
LEAST_P = 0.001
WINS = ("better", "worse", "equal")


def comparison_report(comparison: Comparison) -> str:
    """Return one comparison's tables and remarks."""
    parts = ["\n".join(_head(comparison)), difference_table(comparison)]
    parts.append("\n".join([*comparison.remarks, _legend(comparison)]))
    if comparison.groups:
        parts.append(group_difference_table(comparison))
    if comparison.changed:
        parts.append(changed_table(comparison))
    return "\n\n".join(parts)


def difference_table(comparison: Comparison) -> str:
    """Return one row for each metric: both figures, difference, p-values, wins and losses."""
    title = f"{comparison.task} {comparison.split}"
    headers = [title, "A", "B", "B - A", "p", "p (Holm)", "MDE", *WINS]
    return text_table(headers, [_metric_cells(row) for row in comparison.metrics])


def group_difference_table(comparison: Comparison) -> str:
    """Return the chosen metric by group; of large groupings only the number of groups."""
    sizes = Counter(row.grouping for row in comparison.groups)
    rows = [
        [f"{row.grouping}: {row.group}", str(row.estimate.samples), *_estimate_cells(row.estimate)]
        for row in comparison.groups
        if sizes[row.grouping] <= SHOWN_GROUPS
    ]
    table = text_table([comparison.metric, "samples", "A", "B", "B - A", *WINS], rows)
    long = [f"{name} ({size})" for name, size in sizes.items() if size > SHOWN_GROUPS]
    return f"{table}\n\nin the JSON only: {', '.join(long)}" if long else table


def changed_table(comparison: Comparison) -> str:
    """Return the samples that changed most, with both runs' answers."""
    annotated = any(row.truth for row in comparison.changed)
    headers = [f"{comparison.metric} changed most", "A", "B", "answer A", "answer B"]
    headers += ["truth", "query"] if annotated else []
    rows = [_changed_cells(row) for row in comparison.changed]
    return text_table(headers, [row[: len(headers)] for row in rows])


def plan_table(plan: SampleSizePlan) -> str:
    """Return the minimum detectable effect of this and other sizes, and what each effect needs."""
    rows = [
        [
            row.metric,
            f"{row.size.samples} ({row.size.videos})",
            f"{row.error:.2f}",
            cell(row.minimum_detectable_effect),
            *map(cell, row.effects),
            *(f"{s.samples} ({s.videos})" if s else NOTHING for s in row.needed),
        ]
        for row in plan.rows
    ]
    headers = [
        plan.title,
        "samples (videos)",
        "standard error",
        "MDE",
        *(f"with {samples}" for samples in plan.samples),
        *(f"for {effect:g} points" for effect in plan.effects),
    ]
    return "\n\n".join([text_table(headers, rows), "\n".join(plan.assumptions)])


def _head(comparison: Comparison) -> Iterator[str]:
    yield f"A: {_run(comparison.first)}"
    yield f"B: {_run(comparison.second)}"


def _run(run: RunSummary) -> str:
    return f"{run.model}, {run.protocol}, {run.samples} samples ({run.name})"


def _legend(comparison: Comparison) -> str:
    return (
        f"{comparison.samples} samples on {comparison.videos} videos; percent, 95 % intervals over "
        "videos; MDE: minimum detectable effect, the smallest true difference found with 80 % power"
    )


def _metric_cells(row: MetricRow) -> list[str]:
    figures = _estimate_cells(row.estimate)
    tested = [_p(row.estimate.p), _p(row.p_holm), cell(row.minimum_detectable_effect)]
    return [row.metric, *figures[:3], *tested, *figures[3:]]


def _estimate_cells(estimate: MetricEstimate) -> list[str]:
    change = interval_cell(estimate.difference, estimate.low, estimate.high, "+.1f")
    wins = (estimate.better, estimate.worse, estimate.equal)
    numbers = (NOTHING if count is None else str(count) for count in wins)
    return [cell(estimate.first), cell(estimate.second), change, *numbers]


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"<{LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def _changed_cells(row: ChangedSample) -> list[str]:
    figures = [cell(row.first), cell(row.second)]
    answers = [_answer(row.first_answer), _answer(row.second_answer), _answer(row.truth)]
    return [_short(row.id), *figures, *answers, _short(row.query)]


def _answer(answer: AnswerSummary | None) -> str:
    if answer is None:
        return NOTHING
    spans = [" to ".join(cell(time) for time in span) for span in answer.spans]
    parts = ["never"] if answer.never else [*filter(None, [answer.choice]), *spans]
    return _short("; ".join(parts)) if parts else NOTHING


def _short(text: str) -> str:
    """Return text from a data set or a model on one line, without control characters."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= SHOWN_CHARACTERS else f"{plain[: SHOWN_CHARACTERS - 1]}…"
