"""results.json: the schema, and how a journal becomes it.

It is a function of the answers alone: no time of day, no path, no duration is in it, so runs
with the same answers have the same file, byte for byte, however they came by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.floors import grid_ceiling, task_floors
from vtg_eval.metrics.iou import Floats
from vtg_eval.protocol import Protocol
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import Subset
from vtg_eval.run.score import Score, score, spread
from vtg_eval.run.spec import RunSpec
from vtg_eval.task import Task
from vtg_eval.types import Prediction, Sample

FORMAT = 1

Metrics = Mapping[str, float]
"""Percent, 0 to 100, unrounded unless the protocol rounds."""


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample: the span that counts (seconds; None: none), its IoU, what is wrong with it."""

    id: str
    video: str
    span: tuple[float, float] | None
    iou: float
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The samples of one group of one grouping. `n` are those in the metrics' denominator."""

    grouping: str
    group: str
    n: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class TaskResults:
    """One run's result on one task.

    `n_expected` samples were asked, `n_scored` are in the metrics' denominator. `intervals` are
    95 %, bootstrapped over whole videos. `floors` are blind predictors on the same samples.
    `ceiling` is the best that the frames' times allow, None where no frame was shown. `spread`
    has the same answers' metrics under every protocol of the task. `samples` are in the order of
    the annotation.
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
    metrics: Metrics
    intervals: Mapping[str, tuple[float, float]]
    failures: Mapping[str, int]
    floors: Mapping[str, Metrics]
    ceiling: Metrics | None
    spread: Mapping[str, Metrics]
    groups: tuple[GroupResult, ...]
    samples: tuple[SampleResult, ...]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. Times that are no numbers are written as null."""
        table = asdict(self)
        for row in table["samples"]:
            if row["span"] is not None:
                row["span"] = [t if np.isfinite(t) else None for t in row["span"]]
        return table

    @property
    def lost(self) -> int:
        """Number of samples that the next run tries again."""
        kinds = (Failure.UNDECODABLE, Failure.ERROR, Failure.MISSING)
        return sum(self.failures.get(kind.value, 0) for kind in kinds)


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

    `protocols` are those for the spread. The blind constant may need annotations under `root`.
    """
    card, split, protocol = task.card, spec.split, spec.protocol
    answers = [prediction(records[s.id]) for s in samples if s.id in records]
    result = score(card, samples, answers, protocol, split)
    grids = {s.id: frame_grid(records.get(s.id), protocol.answer.quantum) for s in samples}
    shown = any(len(grid) for grid in grids.values())
    return TaskResults(
        task=card.name,
        task_version=card.version,
        split=split,
        model=spec.model,
        checkpoint=spec.checkpoint,
        protocol=protocol.name,
        n_expected=result.n_expected,
        n_scored=result.n_scored,
        subset=subset,
        metrics=dict(result.metrics),
        intervals={name: (low, high) for name, (low, high) in result.intervals().items()},
        failures={kind.value: count for kind, count in result.failures.items()},
        floors={f.name: dict(f.metrics) for f in task_floors(task, root, samples, protocol)},
        ceiling=dict(grid_ceiling(samples, grids, protocol)) if shown else None,
        spread={
            each.protocol: dict(each.metrics)
            for each in spread(card, samples, answers, protocols, split)
        },
        groups=by_group(result),
        samples=_sample_results(result),
    )


def prediction(record: Record) -> Prediction:
    """Return what a record means to the score. A truncated answer is read all the same."""
    match record.finish:
        case "stop":
            return Prediction(record.id, text=record.text)
        case "length":
            return Prediction(record.id, text=record.text, failure=Failure.TRUNCATED)
        case "undecodable":
            return Prediction(record.id, failure=Failure.UNDECODABLE)
        case _:
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
    found: dict[tuple[str, str], list[int]] = {}
    for row, sample in enumerate(result.samples):
        if result.counted[row]:
            for key in sample.groups.items():
                found.setdefault(key, []).append(row)
    return tuple(
        GroupResult(
            grouping,
            group,
            len(rows),
            {name: float(values[rows].mean() * 100) for name, values in result.values.items()},
        )
        for (grouping, group), rows in sorted(found.items())
    )


def _sample_results(result: Score) -> tuple[SampleResult, ...]:
    rows = zip(result.samples, result.spans, result.ious, result.kinds, strict=True)
    return tuple(
        SampleResult(
            id=sample.id,
            video=sample.video,
            span=None if span is None else (span.start, span.end),
            iou=float(overlap),
            failures=tuple(kind.value for kind in kinds),
        )
        for sample, span, overlap, kinds in rows
    )


def load_results(table: Mapping[str, Any]) -> TaskResults:
    """Read what `to_json` gave; raises UserError where it is something else."""
    try:
        if table["format"] != FORMAT:
            raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
        missing = tuple(table["subset"]["missing_videos"])
        subset = Subset(**{**table["subset"], "missing_videos": missing})
        groups = tuple(GroupResult(**row) for row in table["groups"])
        samples = tuple(SampleResult(**row) for row in table["samples"])
        return TaskResults(**{**table, "subset": subset, "groups": groups, "samples": samples})
    except (KeyError, TypeError, ValueError) as exc:
        raise UserError(f"This is not a result of vtg-eval: {exc}") from exc
