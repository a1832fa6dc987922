"""Results as text tables in Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from vtg_eval.console.tables import text_table
from vtg_eval.console.text import wrapped
from vtg_eval.files.json_files import Metrics
from vtg_eval.run.manifest import Subset
from vtg_eval.run.results import TaskResults
from vtg_eval.scoring.across_protocols import ProtocolScore
from vtg_eval.statistics.bootstrap import FEW_VIDEOS

NOTHING = "–"
SHOWN_GROUPS = 20


def report(results: TaskResults) -> str:
    """Return one task's tables and remarks."""
    parts = [score_table(results), "\n".join(remarks(results))]
    if any(row.differs for row in results.scores_across_protocols):
        parts.append(difference_table(results))
    if results.groups:
        parts.append(group_table(results))
    return "\n\n".join(parts)


def score_table(results: TaskResults) -> str:
    """Return the model's metrics with 95 % intervals, its floors and its ceiling."""
    names = results.headline
    rows = [[results.model, *(with_interval(results, name) for name in names)]]
    rows += [[f"floor: {name}", *_cells(floor, names)] for name, floor in results.floors.items()]
    if results.ceiling is not None:
        rows.append(["ceiling of the frames", *_cells(results.ceiling, names)])
    change = f", {results.transformation}" if results.transformation else ""
    mark = _subset_mark(results.subset)
    title = f"{results.task} {results.split}, {results.rules}{change}{mark}"
    return text_table([title, *names], rows)


def group_table(results: TaskResults) -> str:
    """Return the metrics of each group; of large groupings only the number of groups."""
    present = {name for row in results.groups for name in row.metrics}
    names = [name for name in results.headline if name in present]
    sizes = Counter(row.grouping for row in results.groups)
    rows = [
        [f"{row.grouping}: {row.group}", str(row.n), *_cells(row.metrics, names)]
        for row in results.groups
        if sizes[row.grouping] <= SHOWN_GROUPS
    ]
    table = text_table(["group", "samples", *names], rows)
    long = [f"{name} ({size})" for name, size in sizes.items() if size > SHOWN_GROUPS]
    return f"{table}\n\nin results.json only: {', '.join(long)}" if long else table


def difference_table(results: TaskResults) -> str:
    """Return the protocols under which the same answers have different figures, and why."""
    names = results.headline
    rows = [
        [row.protocol, str(row.n_scored), *_cells(row.metrics, names), "; ".join(row.why)]
        for row in results.scores_across_protocols
        if row.differs
    ]
    return text_table(["the same answers under", "scored", *names, "because"], rows)


def metrics_table(title: str, names: Sequence[str], rows: Mapping[str, Metrics]) -> str:
    """Return one row for each named set of metrics."""
    cells = [[name, *_cells(metrics, names)] for name, metrics in rows.items()]
    return text_table([title, *names], cells)


def protocol_table(rows: Sequence[ProtocolScore]) -> str:
    """Return one row for each protocol; a metric that it does not have is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    return text_table(
        ["protocol", "scored", *names],
        [[row.protocol, str(row.n_scored), *_cells(row.metrics, names)] for row in rows],
    )


def remarks(results: TaskResults) -> list[str]:
    """Return the lines under the table: sample counts and failure counts."""
    videos = len({sample.video for sample in results.samples})
    lines = [
        f"samples: {results.n_expected}, in the denominator: {results.n_scored}, videos: {videos}; "
        "percent, with 95 % intervals over videos"
    ]
    if videos < FEW_VIDEOS:
        lines.append(f"fewer than {FEW_VIDEOS} videos: the intervals are rough")
    if not results.subset.whole:
        lines.append(wrapped(subset_line(results.subset, results.transformation)))
    if results.no_floors:
        lines.append(f"no floors: {results.no_floors}")
    if results.failures:
        counts = ", ".join(f"{kind} {count}" for kind, count in results.failures.items())
        lines.append(f"failures: {counts}")
    return lines


def subset_line(subset: Subset, transformation: str = "") -> str:
    """Return in words which part of the split was scored and why.

    transformation: of the run, which may leave out samples.
    """
    reasons = []
    if subset.limit is not None and subset.limit < subset.of:
        reasons.append(f"the first {subset.limit}")
    if subset.missing_videos:
        reasons.append(f"{len(subset.missing_videos)} videos are missing")
    if transformation:
        reasons.append(f"{transformation} leaves out others")
    if subset.size > subset.of or not reasons:
        reasons = ["the annotation file has another number than the task's card"]
    article = "A " if subset.size < subset.of else ""
    return (
        f"{article}{_part(subset)}: {subset.size} of {subset.of} samples ({'; '.join(reasons)}), "
        f"digest {subset.digest[:8]}. Not comparable with scores on the whole split."
    )


def _subset_mark(subset: Subset) -> str:
    if subset.whole:
        return ""
    return f", {_part(subset)} {subset.size} of {subset.of} ({subset.digest[:8]})"


def _part(subset: Subset) -> str:
    return "SUBSET" if subset.size < subset.of else "NOT THE CARD'S SAMPLES"


def with_interval(results: TaskResults, name: str) -> str:
    """Return a metric with its interval."""
    return interval_cell(results.metrics.get(name), *results.intervals.get(name, (None, None)))


def _cells(metrics: Metrics, names: Sequence[str]) -> list[str]:
    return [cell(metrics[name]) if name in metrics else "" for name in names]


def cell(value: float | None, form: str = ".1f") -> str:
    """Return a figure with one decimal, a dash for None and for what is not finite."""
    return NOTHING if value is None or not math.isfinite(value) else format(value, form)


def interval_cell(
    value: float | None, low: float | None, high: float | None, form: str = ".1f"
) -> str:
    """Return a figure as `cell` does, with its interval where it has one."""
    ends = cell(low, form), cell(high, form)
    return cell(value, form) if NOTHING in ends else f"{cell(value, form)} [{', '.join(ends)}]"
