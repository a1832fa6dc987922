"""A probe as tables, for the terminal (at most 80 columns) and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from vtg_eval.comparison.estimates import Estimate
from vtg_eval.comparison.probe_figures import BlindFloor, MovedRow, NoMomentRow, ProbeComparison
from vtg_eval.console.tables import text_table
from vtg_eval.metrics.equivariance import SECONDS, SHARE
from vtg_eval.report.tables import cell, interval_cell
from vtg_eval.statistics.bootstrap import FEW_VIDEOS

SIGNED = "+.1f"
WIDTH = 80
EVERY_ONE = "every one"
MOVED_REMARK = (
    f"moved: both ends are within {SECONDS:g} s, or {100 * SHARE:g} % of the video, of where the "
    "answer to the original video is now."
)
BLIND_REMARK = (
    "blind: that answer repeated without a look, at the same seconds or the same fractions of the "
    "video, whichever is better. What is above blind is evidence of a look."
)
REFUTES_REMARK = (
    "append and speed: one of these two rules follows by definition, so only an answer that does "
    "not move says something."
)
REVERSE_REMARK = f"reverse: backwards, an event may be another one; so {EVERY_ONE} is without it."
NO_MOMENT_REMARKS = (
    "swap: another video, the same query. absent: the same video, a query of another video.",
    "unchanged: the span of the first answer again, at the same seconds or fractions; blind "
    "predictors have 100. by chance: the span of the first answer to another sample.",
)


@dataclass(frozen=True, slots=True)
class ProbeTable:
    """A table: its title, the heads of its columns, its rows as text, and remarks below it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def probe_report(probe: ProbeComparison) -> str:
    """Return the tables of a probe as text, each with what to read in it."""
    parts = [f"{probe.model} on {probe.task} {probe.split}, {probe.protocol}"]
    for table in probe_tables(probe):
        parts += [table.title, text_table(table.heads, table.rows), _wrapped(table.remarks)]
    parts.append(_wrapped(left_out_remarks(probe)))
    return "\n\n".join(filter(None, parts))


def probe_tables(probe: ProbeComparison) -> tuple[ProbeTable, ...]:
    """Return the tables that the probe's transformations fill."""
    tables: list[ProbeTable] = []
    if probe.moved:
        tables += [_moved_table(probe), _error_table(probe.moved), _score_table(probe.moved)]
    if probe.no_moment:
        tables.append(_no_moment_table(probe.no_moment))
    return tuple(tables)


def left_out_remarks(probe: ProbeComparison) -> tuple[str, ...]:
    """Return which samples the transformations leave out, and why."""
    names: dict[str, list[str]] = {}
    rows: list[MovedRow | NoMomentRow] = [*probe.moved, *probe.no_moment]
    for row in rows:
        if row.samples < probe.samples:
            left_out = dict(row.left_out)
            others = probe.samples - row.samples - sum(left_out.values())
            if others > 0:
                left_out["not in both runs"] = others
            reasons = "; ".join(f"{reason} {count}" for reason, count in left_out.items())
            line = f"{row.samples} of {probe.samples} samples ({reasons})"
            names.setdefault(line, []).append(row.transformation)
    return tuple(f"{line}: {', '.join(changes)}" for line, changes in names.items())


def _moved_table(probe: ProbeComparison) -> ProbeTable:
    """Return the percent of answers that moved, beside what a blind repetition gets."""
    rows: list[tuple[str, ...]] = [
        (row.transformation, _cell(row.moved), cell(row.blind.moved), _signed(row.above_blind))
        for row in probe.moved
    ]
    every = probe.every_one
    if every is not None:
        rows.append((EVERY_ONE, _cell(every.moved), cell(every.blind), _signed(every.above_blind)))
        rows += [_floor_row(name, floor) for name, floor in every.floors.items()]
    return ProbeTable(
        "Does the answer move as the video does?",
        ("percent", "moved", "blind", "above blind"),
        tuple(rows),
        tuple(_moved_remarks(probe)),
    )


def _floor_row(name: str, floor: BlindFloor) -> tuple[str, ...]:
    blind = floor.moved - floor.above_blind
    return name, cell(floor.moved), cell(blind), cell(floor.above_blind, SIGNED)


def _moved_remarks(probe: ProbeComparison) -> list[str]:
    remarks = [MOVED_REMARK, BLIND_REMARK]
    if any(row.above_blind.value is None for row in probe.moved):
        remarks.append(REFUTES_REMARK)
    if probe.every_one is not None:
        every = probe.every_one
        remarks.append(
            f"{EVERY_ONE}: the {every.samples} samples that all of "
            f"{', '.join(every.transformations)} have. Below it are blind predictors of the task, "
            "on the same samples."
        )
    if any(row.transformation == "reverse" for row in probe.moved):
        remarks.append(REVERSE_REMARK)
    if min(row.videos for row in probe.moved) < FEW_VIDEOS:
        remarks.append(f"fewer than {FEW_VIDEOS} videos: the intervals are rough")
    return remarks


def _error_table(rows: Sequence[MovedRow]) -> ProbeTable:
    """Return the distance of the answers from where they should be."""
    cells = [
        (
            row.transformation,
            _cell(row.error),
            cell(row.blind.error),
            _cell(row.iou),
            cell(row.blind.iou),
        )
        for row in rows
    ]
    heads = ("distance", "seconds", "blind", "IoU", "blind")
    return ProbeTable("How far are they from there?", heads, tuple(cells))


def _score_table(rows: Sequence[MovedRow]) -> ProbeTable:
    """Return the mean IoU with the ground truth on the same samples, before and after."""
    cells = [
        (
            row.transformation,
            str(row.samples),
            cell(row.score_before.value),
            cell(row.score.value),
            _signed(row.score_change),
        )
        for row in rows
    ]
    heads = ("mIoU", "samples", "before", "after", "change")
    return ProbeTable("Are they still right?", heads, tuple(cells))


def _no_moment_table(rows: Sequence[NoMomentRow]) -> ProbeTable:
    """Return how often the answer is "never", and how often it is the same as before."""
    cells = [
        (
            row.transformation,
            _cell(row.never),
            cell(row.never_before.value),
            _cell(row.unchanged),
            cell(row.by_chance.value),
        )
        for row in rows
    ]
    heads = ("percent", '"never"', "before", "unchanged", "by chance")
    title = "What is the answer where the moment is not?"
    return ProbeTable(title, heads, tuple(cells), NO_MOMENT_REMARKS)


def _wrapped(remarks: Sequence[str]) -> str:
    return "\n".join(line for remark in remarks for line in wrap(remark, WIDTH))


def _cell(estimate: Estimate) -> str:
    return interval_cell(estimate.value, estimate.low, estimate.high)


def _signed(estimate: Estimate) -> str:
    return interval_cell(estimate.value, estimate.low, estimate.high, SIGNED)
