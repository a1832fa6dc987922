"""Results as text that can be pasted into an issue, a README or a mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from vtg_eval.run.manifest import Subset
from vtg_eval.run.results import TaskResults

MEAN = "mIoU"


def report(results: TaskResults) -> str:
    """Return one task's tables and the lines that belong to them."""
    parts = [score_table(results), "\n".join(remarks(results))]
    if results.groups:
        parts.append(group_table(results))
    return "\n\n".join(parts)


def score_table(results: TaskResults) -> str:
    """Return the model's metrics with 95 % intervals, its floors and its ceiling."""
    names = list(results.metrics)
    rows = [[results.model, *(_with_interval(results, name) for name in names)]]
    rows += [[f"floor: {name}", *_cells(floor, names)] for name, floor in results.floors.items()]
    if results.ceiling is not None:
        rows.append(["ceiling of the frames", *_cells(results.ceiling, names)])
    title = f"{results.task} {results.split}, {results.protocol}{_subset_mark(results.subset)}"
    return _table([title, *names], rows)


def group_table(results: TaskResults) -> str:
    """Return the metrics of each group."""
    names = list(results.groups[0].metrics)
    rows = [
        [f"{row.grouping}: {row.group}", str(row.n), *_cells(row.metrics, names)]
        for row in results.groups
    ]
    return _table(["group", "samples", *names], rows)


def remarks(results: TaskResults) -> list[str]:
    """Return the lines under the table: sample counts, the ledger, the protocol spread."""
    videos = len({sample.video for sample in results.samples})
    lines = [
        f"samples: {results.n_expected}, in the denominator: {results.n_scored}, videos: {videos}; "
        "percent, with 95 % intervals over videos"
    ]
    if not results.subset.whole:
        lines.append(subset_line(results.subset))
    if results.failures:
        counts = ", ".join(f"{kind} {count}" for kind, count in results.failures.items())
        lines.append(f"ledger: {counts}")
    means = {name: m[MEAN] for name, m in results.spread.items() if MEAN in m}
    if len(set(means.values())) > 1:
        low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        lines.append(
            f"the same answers under {len(means)} protocols: {MEAN} {means[low]:.1f} ({low}) "
            f"to {means[high]:.1f} ({high})"
        )
    return lines


def subset_line(subset: Subset) -> str:
    """Say which part of the split was scored and why."""
    reasons = []
    if subset.limit is not None and subset.limit < subset.of:
        reasons.append(f"the first {subset.limit}")
    if subset.missing_videos:
        reasons.append(f"{len(subset.missing_videos)} videos are missing")
    return (
        f"A SUBSET: {subset.size} of {subset.of} samples ({'; '.join(reasons)}), "
        f"digest {subset.digest[:8]}. Not comparable with scores on the whole split."
    )


def _subset_mark(subset: Subset) -> str:
    if subset.whole:
        return ""
    return f", SUBSET {subset.size} of {subset.of} ({subset.digest[:8]})"


def _with_interval(results: TaskResults, name: str) -> str:
    value = f"{results.metrics[name]:.1f}"
    if name not in results.intervals:
        return value
    low, high = results.intervals[name]
    return f"{value} [{low:.1f}, {high:.1f}]"


def _cells(metrics: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{metrics[name]:.1f}" if name in metrics else "" for name in names]


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (headers, *rows)]
    text: str = tabulate(escaped[1:], escaped[0], tablefmt="github", disable_numparse=True)
    return text
