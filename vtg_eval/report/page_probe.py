"""The page's section on a probe: whether a run's answers move as its videos do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtg_eval.comparison.probe import belongs_to, compare_probe
from vtg_eval.comparison.probe_figures import ProbeComparison
from vtg_eval.errors import UserError
from vtg_eval.report.probe_tables import EVERY_ONE, ProbeTable, left_out_remarks, probe_tables
from vtg_eval.run.finished import FinishedRun


@dataclass(frozen=True, slots=True)
class MovedBar:
    """The percent of answers that moved, with its interval, and what a blind repetition gets."""

    name: str
    moved: float | None
    low: float | None
    high: float | None
    blind: float


@dataclass(frozen=True, slots=True)
class ProbePart:
    """The probe of the page's run number `run`."""

    run: int
    bars: tuple[MovedBar, ...]
    tables: tuple[ProbeTable, ...]
    remarks: tuple[str, ...]


def probe_parts(
    runs: Sequence[FinishedRun], probes: Sequence[FinishedRun]
) -> tuple[ProbePart, ...]:
    """Return the probe of each run of which there are transformed runs.

    Raises UserError for a transformed run that belongs to none.
    """
    for probe in probes:
        if not any(belongs_to(run, probe) for run in runs):
            change = probe.spec.transformation
            raise UserError(
                f"The run of {probe.spec.model} with {change.name if change else 'no change'} "
                "is no probe of a run on this page: name probes of it."
            )
    parts = []
    for number, run in enumerate(runs):
        its_probes = [probe for probe in probes if belongs_to(run, probe)]
        if its_probes:
            parts.append(_part(number, compare_probe(run, its_probes)))
    return tuple(parts)


def _part(number: int, probe: ProbeComparison) -> ProbePart:
    bars = [
        MovedBar(
            row.transformation, row.moved.value, row.moved.low, row.moved.high, row.blind.moved
        )
        for row in probe.moved
    ]
    if probe.every_one is not None:
        every = probe.every_one
        moved = every.moved
        bars.append(MovedBar(EVERY_ONE, moved.value, moved.low, moved.high, every.blind))
    return ProbePart(number, tuple(bars), probe_tables(probe), left_out_remarks(probe))
