"""A stored run's part of the page: tables, metadata, plots, answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite

import numpy as np

from vtg_eval.failures import Failure
from vtg_eval.files.json_files import Metrics, finite
from vtg_eval.metrics.iou import Floats
from vtg_eval.protocol import Protocol
from vtg_eval.report.measured import Measured, measure
from vtg_eval.report.page_data import (
    AnswerView,
    FailureCount,
    GroupName,
    GroupRow,
    Named,
    Pair,
    ProtocolRow,
    RunPart,
    ScoreRow,
)
from vtg_eval.report.plots import Plots, plots
from vtg_eval.report.tables import subset_line
from vtg_eval.run.finished import FinishedRun
from vtg_eval.run.results import TaskResults
from vtg_eval.scoring.blind import WHOLE, constant_span
from vtg_eval.scoring.floors import fitted_constant
from vtg_eval.scoring.score import Score, score
from vtg_eval.types import Group, Span

LONGEST_TEXT = 4000  # characters of an answer
MOST_SPANS = 5  # of an answer
KINDS = tuple(Failure)


@dataclass(slots=True)
class Numbers:
    """Numbers distinct groups and grids in order of first use."""

    groups: dict[Group, int] = field(default_factory=dict)
    grids: dict[tuple[int, ...], int] = field(default_factory=dict)

    def group(self, group: Group) -> int:
        """Return the number of a group."""
        return self.groups.setdefault(group, len(self.groups))

    def grid(self, times: Sequence[float]) -> int:
        """Return the number of a list of times (seconds)."""
        hundredths = [round(100 * time) for time in times if isfinite(time)]
        steps = [b - a for a, b in zip([0, *hundredths], hundredths, strict=False)]
        return self.grids.setdefault(tuple(steps), len(self.grids))

    def group_names(self) -> tuple[GroupName, ...]:
        """Return all groups by number."""
        return tuple(GroupName(group.grouping, group.name) for group in self.groups)


@dataclass(frozen=True)
class RunView:
    """A run with everything that the page computes from its answers."""

    run: FinishedRun
    protocols: tuple[Protocol, ...]

    @cached_property
    def results(self) -> TaskResults:
        """The run's figures, floors, ceiling and scores across protocols."""
        return self.run.results(self.protocols)

    @cached_property
    def score(self) -> Score:
        """The run's answers, parsed and scored one by one."""
        run = self.run
        return score(run.task.card, run.samples, run.answers, run.spec.protocol, run.spec.split)

    @cached_property
    def measured(self) -> Measured:
        """The run's answers as arrays."""
        return measure(self.score, self.run.spec.protocol)

    @cached_property
    def fractions(self) -> Span | None:
        """The constant floor, fractions of the duration; None if a duration is unknown."""
        run = self.run
        if any(sample.duration is None for sample in run.samples):
            return None
        card = run.task.card
        fitted = card.constant_span or fitted_constant(run.task, run.root, run.spec.split)
        return Span(*(fitted or WHOLE))


def run_part(
    scored: RunView,
    metrics: Sequence[str],
    numbers: Numbers,
    durations: Floats,
    lengths: Floats,
) -> RunPart:
    """Return the run's tables and plots; `durations` and `lengths` are the plots' bin edges."""
    results, run = scored.results, scored.run
    return RunPart(
        model=results.model,
        protocol=results.protocol,
        n_expected=results.n_expected,
        n_scored=results.n_scored,
        n_videos=len({sample.video for sample in run.samples}),
        primary=results.primary,
        subset="" if results.subset.whole else subset_line(results.subset, results.transformation),
        score=ScoreRow(
            results.model,
            _values(results.metrics, metrics),
            tuple(_interval(results, name) for name in metrics),
        ),
        floors=tuple(
            ScoreRow(name, _values(floor, metrics)) for name, floor in results.floors.items()
        ),
        ceiling=None
        if results.ceiling is None
        else ScoreRow("ceiling of the frames", _values(results.ceiling, metrics)),
        scores_across_protocols=tuple(
            ProtocolRow(r.protocol, r.n_scored, _values(r.metrics, metrics), r.differs, r.why)
            for r in results.scores_across_protocols
        ),
        failures=tuple(FailureCount(KINDS.index(kind), n) for kind, n in results.failures.items()),
        groups=tuple(
            GroupRow(numbers.group(Group(g.grouping, g.group)), g.n, _values(g.metrics, metrics))
            for g in results.groups
        ),
        metadata=tuple(_metadata(run)),
        plots=plots(scored.measured, durations, lengths),
        floor_name=_floor_name(scored.fractions),
        floor_fractions=scored.fractions,
        floor_plots=_floor_plots(scored, durations, lengths),
    )


def answer_views(
    scored: RunView, metrics: Sequence[str], numbers: Numbers
) -> dict[str, AnswerView]:
    """Return the answer to each sample, by sample id."""
    measured = scored.measured
    columns = scored.score.table.columns
    absent: list[float | None] = [None] * len(scored.run.samples)
    values = [columns[name].parts() if name in columns else absent for name in metrics]
    worth = columns[scored.score.table.primary].parts()
    percent = scored.run.spec.protocol.answer.unit == "percent"
    views = {}
    rows = zip(scored.run.samples, scored.score.parsed_answers, strict=True)
    for row, (sample, parsed) in enumerate(rows):
        record = scored.run.records.get(sample.id)
        text = record.text if record else ""
        scale = (sample.duration or np.nan) if percent else 1.0
        views[sample.id] = AnswerView(
            text=text[:LONGEST_TEXT],
            cut=max(0, len(text) - LONGEST_TEXT),
            spans=tuple(pair(span, scale) for span in parsed.spans[:MOST_SPANS]),
            absent=parsed.absent,
            choice=parsed.letters[0] if parsed.letters else None,
            iou=_short(measured.iou[row]),
            worth=_short(worth[row]),
            values=tuple(_short(parts[row]) for parts in values),
            failures=tuple(KINDS.index(kind) for kind in parsed.kinds),
            frame_times=numbers.grid(record.frame_times if record else ()),
            model_times=numbers.grid(record.model_times if record else ()),
            error=record.error if record else None,
        )
    return views


def _floor_plots(scored: RunView, durations: Floats, lengths: Floats) -> Plots | None:
    if scored.fractions is None or not scored.run.samples:
        return None
    run = scored.run
    answers = constant_span(scored.fractions).predictions(run.samples)
    result = score(run.task.card, run.samples, answers, run.spec.protocol, run.spec.split)
    return plots(measure(result, run.spec.protocol), durations, lengths)


def _floor_name(fractions: Span | None) -> str:
    if fractions is None:
        return ""
    if fractions == WHOLE:
        return "blind: whole video"
    return f"blind: constant [{fractions.start:g}, {fractions.end:g}]"


def _values(metrics: Metrics, names: Sequence[str]) -> tuple[float | None, ...]:
    return tuple(metrics.get(name) for name in names)


def pair(span: Span, scale: float = 1.0) -> Pair:
    """Return a span's times in seconds, None for a time that is not a number."""
    return finite(span.start * scale), finite(span.end * scale)


def _short(value: float | None) -> float | None:
    """Return a number from 0 to 1, rounded to four decimals; None for NaN."""
    return None if value is None else finite(round(float(value), 4))


def _metadata(run: FinishedRun) -> Iterable[Named]:
    spec = run.spec
    asked = {sample.asks for sample in run.samples}
    yield Named("task", f"{spec.task} {spec.task_version}, {spec.split}")
    yield Named("asks for", ", ".join(sorted(kind.value for kind in asked)))
    yield Named("protocol", f"{spec.protocol.name}: {spec.protocol.summary}")
    if spec.profile:
        yield Named("profile", spec.profile)
    yield Named("checkpoint", f"{spec.model}, sha256 {spec.checkpoint[:16]}")
    yield Named("adapter", spec.adapter)
    yield Named("engine", f"{spec.engine}, dtype {spec.dtype}, seed {spec.seed}")
    if spec.decoder:
        yield Named("decoder", spec.decoder)
    if spec.transformation:
        yield Named(
            "transformation", f"{spec.transformation.name}, seed {spec.transformation.seed}"
        )
    yield Named("samples", f"{run.subset.size} of {run.subset.of}, digest {run.subset.digest[:16]}")
    yield Named("annotations", f"sha256 {spec.annotations[:16]}")
    if run.manifest.sessions:
        last = run.manifest.sessions[-1]
        yield Named("started", last.started)
        yield Named("versions", ", ".join(f"{k} {v}" for k, v in last.versions.items()))


def _interval(results: TaskResults, name: str) -> Pair | None:
    """Return a metric's interval, None if there is none."""
    low, high = results.intervals.get(name, (None, None))
    return None if low is None or high is None else (low, high)
