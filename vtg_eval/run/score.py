"""Scoring: samples, answers and a protocol in, figures and the ledger of failures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtg_eval.answers import Reading, read_answer
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.metrics.grounding import Mask, best_ious, percentages, sample_values, suppress
from vtg_eval.metrics.iou import Floats
from vtg_eval.protocol import Protocol
from vtg_eval.stats import Interval, cluster_bootstrap
from vtg_eval.task import Card
from vtg_eval.types import Prediction, Sample, Span

GROUNDING = "grounding"


@dataclass(frozen=True, slots=True)
class Score:
    """One task's result under one protocol. Arrays have a row for each sample, in task order.

    ious: float64 [N], of the span that counts with the target, 0 for failures. counted: bool
    [N], whether the sample is in the denominator. values: each metric's per-sample values,
    float64 [N], 0 to 1. spans: the span that counts, None where there is none. kinds: what is
    wrong with each answer. metrics: percent, unrounded. failures: the whole ledger.
    """

    task: str
    split: str
    protocol: str
    samples: tuple[Sample, ...]
    ious: Floats
    counted: Mask
    values: Mapping[str, Floats]
    spans: tuple[Span | None, ...]
    kinds: tuple[tuple[Failure, ...], ...]
    metrics: Mapping[str, float]
    failures: Mapping[Failure, int]

    @property
    def n_expected(self) -> int:
        """Number of samples asked for."""
        return len(self.samples)

    @property
    def n_scored(self) -> int:
        """Number of samples in the metrics' denominator: all of them unless a protocol drops."""
        return int(self.counted.sum())

    def intervals(self, resamples: int = 10_000, seed: int = 0) -> Mapping[str, Interval]:
        """Return each metric's 95 % interval in percent, bootstrapped over whole videos."""
        videos = {sample.video: 0 for sample in self.samples}
        number = {video: index for index, video in enumerate(videos)}
        clusters = np.array([number[sample.video] for sample in self.samples])
        table = np.stack(list(self.values.values()), axis=1)
        found = cluster_bootstrap(
            table[self.counted] * 100, clusters[self.counted], resamples=resamples, seed=seed
        )
        return dict(zip(self.values, found, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the result as the command line writes it; its keys are a stable interface."""
        return {
            "task": self.task,
            "split": self.split,
            "protocol": self.protocol,
            "n_expected": self.n_expected,
            "n_scored": self.n_scored,
            "metrics": dict(self.metrics),
            "failures": {kind.value: count for kind, count in self.failures.items()},
        }


def score(
    card: Card,
    samples: Sequence[Sample],
    predictions: Iterable[Prediction],
    protocol: Protocol,
    split: str,
) -> Score:
    """Score answers. They may come in any order; the result does not depend on it.

    Raises UserError where the protocol or the metric family does not apply to the task.
    """
    if card.metric_family != GROUNDING:
        raise UserError(f"{card.name} needs {card.metric_family} metrics, which are not built in.")
    rules = protocol.for_task(card.name)
    answers, strays = _by_sample(samples, predictions, rules)
    readings = [read_answer(sample, answers.get(sample.id), rules) for sample in samples]

    ranked = _ranked_spans(readings, rules)
    targets, counted = _targets(samples, rules)
    if rules.score.missing == "drop":
        counted &= np.array([reading.answered for reading in readings], dtype=np.bool_)
    ious = best_ious(ranked, targets)
    for row, (sample, reading) in enumerate(zip(samples, readings, strict=True)):
        if not sample.target.spans and reading.absent:
            ious[row] = 1.0
    values = sample_values(ious, rules.score)
    return Score(
        task=card.name,
        split=split,
        protocol=protocol.name,
        samples=tuple(samples),
        ious=ious[:, 0],
        counted=counted,
        values=values,
        spans=tuple(reading.span for reading in readings),
        kinds=tuple(reading.kinds for reading in readings),
        metrics=percentages(values, counted, rules.score),
        failures=_ledger(readings, strays),
    )


def spread(
    card: Card,
    samples: Sequence[Sample],
    predictions: Sequence[Prediction],
    protocols: Iterable[Protocol],
    split: str,
) -> tuple[Score, ...]:
    """Score one set of answers under every protocol that is defined for the task.

    Protocols whose models answer in another unit than seconds are left out: they would read
    the same numbers as something else.
    """
    apt = [p for p in protocols if not p.only_tasks or card.name in p.only_tasks]
    apt = [p for p in apt if p.for_task(card.name).answer.unit == "seconds"]
    return tuple(score(card, samples, predictions, protocol, split) for protocol in apt)


def _by_sample(
    samples: Sequence[Sample], predictions: Iterable[Prediction], rules: Protocol
) -> tuple[dict[str, Prediction], Counter[Failure]]:
    known = {sample.id for sample in samples}
    answers: dict[str, Prediction] = {}
    strays: Counter[Failure] = Counter()
    for prediction in predictions:
        if prediction.id not in known:
            strays[Failure.UNKNOWN_ID] += 1
            continue
        if prediction.id in answers:
            strays[Failure.DUPLICATE] += 1
            if rules.score.duplicates == "first":
                continue
        answers[prediction.id] = prediction
    return answers, strays


def _ranked_spans(readings: Sequence[Reading], rules: Protocol) -> Floats:
    """Return [N, R, 2]: each answer's spans in rank order, NaN where there is none."""
    depth = max(rules.score.ranks)
    ranked = np.full((len(readings), depth, 2), np.nan)
    for row, reading in enumerate(readings):
        spans = np.array(reading.spans, dtype=np.float64).reshape(-1, 2)
        if rules.score.nms < 1:
            spans = spans[suppress(spans, rules.score.nms, depth)]
        ranked[row, : min(depth, len(spans))] = spans[:depth]
    return ranked


def _targets(samples: Sequence[Sample], rules: Protocol) -> tuple[Floats, Mask]:
    """Return [N, K, 2], NaN where there is no further occurrence, and which samples count."""
    kept = 1 if rules.score.occurrences == "first" else None
    spans = [sample.target.spans[:kept] for sample in samples]
    targets = np.full((len(samples), max(map(len, spans), default=0), 2), np.nan)
    for row, each in enumerate(spans):
        if each:
            targets[row, : len(each)] = each
    counted = np.ones(len(samples), dtype=np.bool_)
    if rules.score.truth == "as-is" and rules.answer.unit == "seconds":
        return targets, counted
    durations = _durations(samples, rules)
    if rules.score.truth == "clamp":
        targets[..., 1] = np.minimum(targets[..., 1], durations[:, None])
        empty = (targets[..., 0] >= targets[..., 1]).any(axis=1)
        counted &= ~empty
    if rules.answer.unit == "percent":
        targets = targets / durations[:, None, None]
    return targets, counted


def _durations(samples: Sequence[Sample], rules: Protocol) -> Floats:
    missing = next((sample.id for sample in samples if sample.duration is None), None)
    if missing is not None:
        raise UserError(
            f"The protocol {rules.name} needs every video's duration, and {missing} has none: "
            "add the benchmark's file of durations."
        )
    return np.array([sample.duration for sample in samples], dtype=np.float64)


def _ledger(readings: Iterable[Reading], strays: Counter[Failure]) -> dict[Failure, int]:
    counts = strays + Counter(kind for reading in readings for kind in reading.kinds)
    return {kind: counts[kind] for kind in Failure if counts[kind]}
