"""results.json: the schema, and how a journal becomes it.

It is a function of the answers alone: no time of day, no path, no duration is in it, so runs
with the same answers have the same file, byte for byte, however they came by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure, Finish
from vtg_eval.files.digests import subset_digest
from vtg_eval.files.json_files import Metrics, finite, finite_metrics
from vtg_eval.metrics.iou import Floats
from vtg_eval.protocol import Protocol, ResolvedProtocol
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import Subset
from vtg_eval.run.spec import RunSpec
from vtg_eval.scoring.across_protocols import (
    ProtocolScore,
    protocol_scores,
    scores_across_protocols,
)
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.floors import ceiling, task_floors
from vtg_eval.scoring.score import Score, score_answers
from vtg_eval.scoring.table import Table
from vtg_eval.task import Task
from vtg_eval.types import Group, Prediction, Sample, Span

FORMAT = 3


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample: what counts of the answer (span in seconds, option; None: none), its worth.

    value: its part of the primary metric, 0 to 1; None where it is no number.
    """

    id: str
    video: str
    span: tuple[float | None, float | None] | None
    choice: str | None
    value: float | None
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The samples of one group of one grouping. `n` are those in some metric's denominator."""

    grouping: str
    group: str
    n: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class TaskResults:
    """One run's result on one task.

    `n_expected` samples were asked, `n_scored` are in the metrics' denominator. `intervals` are
    95 %, bootstrapped over whole videos. `headline` names the metrics of the narrow table,
    `primary` the one that stands for the whole. `floors` are blind predictors on the same samples.
    `ceiling` is the best that the frames' times allow, None where no frame was shown.
    `scores_across_protocols` has the same answers' metrics under every protocol of the task.
    `samples` are in the order of the annotation. `checkpoint` is empty for answers from a file.
    """

    task: str
    task_version: str
    split: str
    model: str
    checkpoint: str
    protocol: str
    n_expected: int
    n_scored: int
    subset: Subset
    primary: str
    headline: tuple[str, ...]
    metrics: Metrics
    intervals: Mapping[str, tuple[float | None, float | None]]
    failures: Mapping[Failure, int]
    floors: Mapping[str, Metrics]
    ceiling: Metrics | None
    scores_across_protocols: tuple[ProtocolScore, ...]
    groups: tuple[GroupResult, ...]
    samples: tuple[SampleResult, ...]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. `spread` is what format 2 called `scores_across_protocols`."""
        table = asdict(self)
        return {**table, "spread": table["scores_across_protocols"]}

    @property
    def lost(self) -> int:
        """Number of samples that the next run tries again."""
        kinds = (Failure.UNDECODABLE, Failure.ERROR, Failure.MISSING)
        return sum(self.failures.get(kind, 0) for kind in kinds)


def make_results(
    spec: RunSpec,
    subset: Subset,
    task: Task,
    root: Path,
    samples: Sequence[Sample],
    records: Mapping[str, Record],
    protocols: Iterable[Protocol],
) -> TaskResults:
    """Score the `samples` a run asked; a sample without a record counts as missing.

    `protocols` are those of `scores_across_protocols`. The blind constant may need annotations
    under `root`.
    """
    answers = [prediction(records[s.id]) for s in samples if s.id in records]
    found = answers_results(
        task, root, spec.split, samples, answers, spec.protocol, protocols, spec.model
    )
    quantum = spec.protocol.answer.quantum
    grids = {s.id: frame_grid(records.get(s.id), quantum) for s in samples}
    best = None
    if any(len(grid) for grid in grids.values()):
        best = finite_metrics(ceiling(task.card, spec.split, samples, grids, spec.protocol))
    return replace(found, checkpoint=spec.checkpoint, subset=subset, ceiling=best)


def answers_results(
    task: Task,
    root: Path,
    split: str,
    samples: Sequence[Sample],
    answers: Sequence[Prediction],
    protocol: ResolvedProtocol,
    protocols: Iterable[Protocol],
    model: str,
) -> TaskResults:
    """Score answers to the whole of `samples`, wherever they come from; `model` is their name."""
    card = task.card
    known = AnswerSet(samples, answers)
    result = score_answers(card, known, protocol, split)
    others = scores_across_protocols(card, known, protocols, split)
    floors = task_floors(task, root, split, samples, protocol)
    return TaskResults(
        task=card.name,
        task_version=card.version,
        split=split,
        model=model,
        checkpoint="",
        protocol=protocol.name,
        n_expected=result.n_expected,
        n_scored=result.n_scored,
        subset=Subset(subset_digest(s.id for s in samples), len(samples), len(samples)),
        primary=result.table.primary,
        headline=result.table.narrow,
        metrics=finite_metrics(result.metrics),
        intervals={n: (finite(low), finite(high)) for n, (low, high) in result.intervals.items()},
        failures=result.failures,
        floors={floor.name: finite_metrics(floor.metrics) for floor in floors},
        ceiling=None,
        scores_across_protocols=protocol_scores(result, others),
        groups=by_group(result),
        samples=_sample_results(result),
    )


def prediction(record: Record) -> Prediction:
    """Return what a record means to the score. A truncated answer is read all the same."""
    match record.finish:
        case Finish.STOP:
            return Prediction(record.id, text=record.text)
        case Finish.LENGTH:
            return Prediction(record.id, text=record.text, failure=Failure.TRUNCATED)
        case Finish.UNDECODABLE:
            return Prediction(record.id, failure=Failure.UNDECODABLE)
        case Finish.ERROR:
            return Prediction(record.id, failure=Failure.ERROR)


def frame_grid(record: Record | None, quantum: float = 0.0) -> Floats:
    """Return the times that an answer can be built of, float64 [T], seconds, ascending.

    They are the times of the frames shown and one step after the last (the end of what it
    shows), each rounded to a multiple of `quantum` seconds where that is not 0.
    """
    times = np.unique(record.frame_times if record else ()).astype(np.float64)
    if len(times) > 1:
        times = np.append(times, 2 * times[-1] - times[-2])
    return np.unique(np.round(times / quantum) * quantum) if quantum else times


def by_group(result: Score) -> tuple[GroupResult, ...]:
    """Return the metrics of each group of each grouping, in alphabetical order."""
    found: dict[Group, list[int]] = {}
    counts = np.any([column.counted for column in result.table.columns.values()], axis=0)
    for row, sample in enumerate(result.samples):
        if counts[row]:
            for group in sample.groups:
                found.setdefault(group, []).append(row)
    return tuple(
        GroupResult(group.grouping, group.name, len(rows), _group_metrics(result.table, rows))
        for group, rows in sorted(found.items())
    )


def _group_metrics(table: Table, rows: list[int]) -> Metrics:
    """Return each metric over those of the rows that count for it, where any does."""
    parts = {name: column.of(rows) for name, column in table.columns.items()}
    return {name: finite(part.percent()) for name, part in parts.items() if part.counted.any()}


def _sample_results(result: Score) -> tuple[SampleResult, ...]:
    rows = zip(result.samples, result.parsed_answers, result.values, strict=True)
    return tuple(
        SampleResult(
            id=sample.id,
            video=sample.video,
            span=None if reading.span is None else _pair(reading.span),
            choice=reading.letters[0] if reading.letters else None,
            value=finite(float(value)),
            failures=reading.kinds,
        )
        for sample, reading, value in rows
    )


def _pair(span: Span) -> tuple[float | None, float | None]:
    return finite(span.start), finite(span.end)


def load_results(table: Mapping[str, Any]) -> TaskResults:
    """Read what `to_json` gave, also in the format before; raises UserError for anything else."""
    try:
        results = msgspec.convert(_upgraded(table), TaskResults)
        if results.format != FORMAT:
            raise ValueError(f"format {results.format}, this version reads 2 and {FORMAT}")
    except (KeyError, TypeError, ValueError) as exc:  # msgspec's errors are ValueErrors
        raise UserError(f"This is not a result of vtg-eval: {exc}") from exc
    return results


def _upgraded(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return results of format 2 as format 3 has them: a key had another name."""
    if table.get("format") != 2:
        return table
    return {**table, "scores_across_protocols": table["spread"], "format": FORMAT}
