"""results.json: its schema, and how it is made from a journal.

It depends on the answers alone and has no dates, paths or run times, so runs with the same
answers have the same file, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from vtg_eval.run.spec import RunSpec, rules_name
from vtg_eval.scoring.across_protocols import (
    ProtocolScore,
    protocol_scores,
    scores_across_protocols,
)
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.floors import ceiling, no_floors, task_floors
from vtg_eval.scoring.score import Score, score_answers
from vtg_eval.scoring.table import Table
from vtg_eval.task import Task
from vtg_eval.types import Group, Prediction, Sample, Span

FORMAT = 4
MAX_SPANS = 25  # of a sample's answer
FAILURES = {
    Finish.LENGTH: Failure.TRUNCATED,
    Finish.UNDECODABLE: Failure.UNDECODABLE,
    Finish.CUT_SHORT: Failure.CUT_SHORT,
    Finish.NON_FINITE: Failure.NON_FINITE_MODEL,
    Finish.REFUSED: Failure.REFUSED,
    Finish.ERROR: Failure.ERROR,
}


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample: the span in seconds and the option that count (None: none), and its value.

    value: of the primary metric, 0 to 1; None where the sample does not count in it, and where it
    is not finite. values: the same of every metric that is a mean over samples. spans: the first 25
    of the answer, in the unit of the score, [start, end] or [start, end, score]. letters: all
    options that it names.
    Results up to format 3 have the primary metric's value, the span and the letter that count.
    """

    id: str
    video: str
    span: tuple[float | None, float | None] | None
    choice: str | None
    value: float | None
    failures: tuple[Failure, ...]
    values: Mapping[str, float | None]
    spans: tuple[tuple[float | None, ...], ...]
    letters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The samples of one group of one grouping. `n` counts those in any metric's denominator."""

    grouping: str
    group: str
    n: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class TaskResults:
    """One run's result on one task.

    `n_expected` samples were asked, `n_scored` are in the metrics' denominator. `intervals` are
    95 %, bootstrapped over whole videos. `headline` names the metrics of the narrow table,
    `primary` the main one. `floors` are blind predictors on the same samples;
    `no_floors` says why there are none.
    `ceiling` is the best that the frames' times allow, None without frames.
    `scores_across_protocols` has the metrics of these answers under every protocol of the task.
    `samples` are in the order of the annotation. `checkpoint` is empty for answers from a file,
    `profile` where the protocol holds as it stands, `transformation` where the run is no probe.
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
    no_floors: str = ""
    profile: str = ""
    transformation: str = ""
    format: int = FORMAT

    @property
    def rules(self) -> str:
        """The names of the protocol and of the profile."""
        return rules_name(self.protocol, self.profile)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `spread` is format 2's name of `scores_across_protocols`.

        Without a profile or a transformation there is no key for it.
        """
        table: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("profile", "transformation"):
            if not table[name]:
                del table[name]
        return {**table, "spread": table["scores_across_protocols"]}

    @property
    def lost(self) -> int:
        """Number of samples without an answer, which the next run tries again."""
        kinds = (Failure.UNDECODABLE, Failure.CUT_SHORT, Failure.ERROR, Failure.MISSING)
        return sum(self.failures.get(kind, 0) for kind in kinds)

    @property
    def non_finite(self) -> int:
        """Number of samples on which the model's logits were not finite; they are final."""
        return self.failures.get(Failure.NON_FINITE_MODEL, 0)


def make_results(
    spec: RunSpec,
    subset: Subset,
    task: Task,
    root: Path,
    samples: Sequence[Sample],
    records: Mapping[str, Record],
    protocols: Iterable[Protocol],
) -> TaskResults:
    """Score the `samples` of a run; a sample without a record counts as missing.

    `protocols` are those of `scores_across_protocols`. The blind constant may need annotations
    under `root`.
    """
    answers = [prediction(records[s.id]) for s in samples if s.id in records]
    results = answers_results(
        task, root, spec.split, samples, answers, spec.protocol, protocols, spec.model
    )
    quantum = max(spec.protocol.answer.quantum, spec.time_quantum)
    grids = {s.id: frame_grid(records.get(s.id), quantum) for s in samples}
    best = None
    if any(len(grid) for grid in grids.values()):
        best = finite_metrics(ceiling(task.card, spec.split, samples, grids, spec.protocol))
    return replace(
        results,
        checkpoint=spec.checkpoint,
        profile=spec.profile,
        transformation=spec.transformation.name if spec.transformation else "",
        subset=subset,
        ceiling=best,
    )


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
    """Score answers to all of `samples`; `model` is the name of their source."""
    card = task.card
    answer_set = AnswerSet(samples, answers)
    result = score_answers(card, answer_set, protocol, split)
    others = scores_across_protocols(card, answer_set, protocols, split)
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
        subset=Subset(
            digest=subset_digest(s.id for s in samples),
            size=len(samples),
            of=card.split_size(split, len(samples)),
        ),
        primary=result.table.primary,
        headline=result.table.narrow,
        metrics=finite_metrics(result.metrics),
        intervals={n: (finite(low), finite(high)) for n, (low, high) in result.intervals.items()},
        failures=result.failures,
        floors={floor.name: finite_metrics(floor.metrics) for floor in floors},
        no_floors=no_floors(samples),
        ceiling=None,
        scores_across_protocols=protocol_scores(result, others),
        groups=by_group(result),
        samples=_sample_results(result),
    )


def prediction(record: Record) -> Prediction:
    """Return a record as a prediction to score. A truncated answer keeps its text."""
    return Prediction(
        record.id,
        text=record.text if record.answered else None,
        failure=FAILURES.get(record.finish),
        escaped=record.escaped > 0,
    )


def frame_grid(record: Record | None, quantum: float = 0.0) -> Floats:
    """Return the times that an answer can have, float64 [T], seconds, ascending.

    They are the times of the shown frames and one step after the last (the end of that frame),
    each rounded to a multiple of `quantum` seconds where that is not 0.
    """
    if record is None or not record.frame_times:
        return np.empty(0)
    times = np.unique(record.frame_times).astype(np.float64)
    if len(times) > 1:
        times = np.append(times, 2 * times[-1] - times[-2])
    return np.unique(np.round(times / quantum) * quantum) if quantum else times


def by_group(result: Score) -> tuple[GroupResult, ...]:
    """Return the metrics of each group of each grouping, in alphabetical order."""
    members: dict[Group, list[int]] = {}
    counts = np.any([column.counted for column in result.table.columns.values()], axis=0)
    for row, sample in enumerate(result.samples):
        if counts[row]:
            for group in sample.groups:
                members.setdefault(group, []).append(row)
    return tuple(
        GroupResult(group.grouping, group.name, len(rows), _group_metrics(result.table, rows))
        for group, rows in sorted(members.items())
    )


def _group_metrics(table: Table, rows: list[int]) -> Metrics:
    """Return each metric that counts for any of the rows, over those rows."""
    parts = {name: column.of(rows) for name, column in table.columns.items()}
    return {name: finite(part.percent()) for name, part in parts.items() if part.counted.any()}


def _sample_results(result: Score) -> tuple[SampleResult, ...]:
    columns = {name: column.parts() for name, column in result.table.columns.items()}
    values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    rows = zip(result.samples, result.parsed_answers, values, strict=True)
    return tuple(
        SampleResult(
            id=sample.id,
            video=sample.video,
            span=None if parsed.span is None else _pair(parsed.span),
            choice=parsed.letters[0] if parsed.letters else None,
            value=parts[result.table.primary],
            failures=parsed.kinds,
            values=parts,
            spans=tuple(tuple(map(finite, span)) for span in parsed.listed[:MAX_SPANS]),
            letters=parsed.letters,
        )
        for sample, parsed, parts in rows
    )


def _pair(span: Span) -> tuple[float | None, float | None]:
    return finite(span.start), finite(span.end)


def load_results(table: Mapping[str, Any]) -> TaskResults:
    """Read the output of `to_json`, also in formats 2 and 3; raises UserError for anything else."""
    try:
        if not isinstance(table, Mapping):
            raise TypeError("it is not a JSON object")
        results = msgspec.convert(_upgraded(table), TaskResults)
        if results.format != FORMAT:
            raise ValueError(f"format {results.format}, this version reads 2 to {FORMAT}")
    except (KeyError, TypeError, ValueError) as exc:  # msgspec's errors are ValueErrors
        raise UserError(f"This is not a result of vtg-eval: {exc}") from exc
    return results


def _upgraded(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return results of formats 2 and 3 in format 4: a key was renamed, samples have more keys."""
    if table.get("format") not in (2, 3):
        return table
    samples = [_upgraded_sample(sample, table["primary"]) for sample in table["samples"]]
    scores = table["spread"] if table["format"] == 2 else table["scores_across_protocols"]
    changed = {"samples": samples, "scores_across_protocols": scores, "format": FORMAT}
    return {**table, **changed}


def _upgraded_sample(sample: Mapping[str, Any], primary: str) -> Mapping[str, Any]:
    span, choice = sample["span"], sample["choice"]
    return {
        **sample,
        "values": {primary: sample["value"]},
        "spans": [] if span is None else [span],
        "letters": [] if choice is None else [choice],
    }
