"""Scoring: samples, answers and a protocol in, figures and the ledger of failures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vtg_eval.answers import Reading, read_answer
from vtg_eval.failures import Failure
from vtg_eval.metrics.iou import Floats
from vtg_eval.protocol import Protocol, ScoreRule
from vtg_eval.scoring.families import metric_family
from vtg_eval.scoring.table import Table
from vtg_eval.stats import RESAMPLES, Interval, intervals, resampled_means
from vtg_eval.task import Card
from vtg_eval.types import Prediction, Sample, Span

POOLED = 10  # spans of each record, where records for one sample are pooled


@dataclass(frozen=True)
class Score:
    """One task's result under one protocol. `rule` is the protocol's for this task.

    `readings` are in the order of `samples`; `metrics` are percent, unrounded unless the
    protocol rounds; `failures` is the whole ledger.
    """

    task: str
    split: str
    protocol: str
    rule: ScoreRule
    samples: tuple[Sample, ...]
    readings: tuple[Reading, ...]
    table: Table
    metrics: Mapping[str, float]
    failures: Mapping[Failure, int]

    @property
    def n_expected(self) -> int:
        """Number of samples asked for."""
        return len(self.samples)

    @property
    def n_scored(self) -> int:
        """Number of samples in any metric's denominator: all of them unless a protocol drops."""
        return int(np.any([column.counted for column in self.table.columns.values()], axis=0).sum())

    @property
    def values(self) -> Floats:
        """Each sample's part of the primary metric, float64 [N], 0 to 1."""
        return self.table.columns[self.table.primary].values

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """Each metric's 95 % interval in percent, bootstrapped over whole videos."""
        return bootstrap(self)


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
    rules = protocol.for_task(card.name, card.metric_family, split)
    answers, strays = _by_sample(samples, predictions, rules)
    readings = tuple(read_answer(sample, answers.get(sample.id), rules) for sample in samples)
    table = metric_family(card.metric_family)(card, samples, readings, rules)
    return Score(
        task=card.name,
        split=split,
        protocol=protocol.name,
        rule=rules.score,
        samples=tuple(samples),
        readings=readings,
        table=table,
        metrics=table.metrics(),
        failures=_ledger(readings, strays),
    )


def bootstrap(result: Score, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """Return each metric's 95 % interval in percent; whole videos are resampled."""
    number: dict[str, int] = {}
    clusters = np.array([number.setdefault(s.video, len(number)) for s in result.samples])
    columns = result.table.columns
    means = 100 * resampled_means(
        np.stack([column.values for column in columns.values()], axis=1),
        clusters,
        np.stack([column.counted for column in columns.values()], axis=1),
        resamples=resamples,
        seed=seed,
    )
    found = dict(zip(columns, means.T, strict=True))
    for name, derived in result.table.derived.items():
        found[name] = derived.figures(found)
    names = result.table.names
    figures = np.stack([found[n] for n in names], axis=1)
    videos = [
        len(np.unique(clusters[columns[n].counted])) if n in columns else len(number) for n in names
    ]
    return dict(zip(names, intervals(figures, videos), strict=True))


def _by_sample(
    samples: Sequence[Sample], predictions: Iterable[Prediction], rules: Protocol
) -> tuple[dict[str, Prediction], Counter[Failure]]:
    known = {sample.id for sample in samples}
    records: dict[str, list[Prediction]] = {}
    strays: Counter[Failure] = Counter()
    for prediction in predictions:
        if prediction.id not in known:
            strays[Failure.UNKNOWN_ID] += 1
            continue
        if prediction.id in records:
            strays[Failure.DUPLICATE] += 1
        records.setdefault(prediction.id, []).append(prediction)
    match rules.score.duplicates:
        case "first":
            return {key: each[0] for key, each in records.items()}, strays
        case "last":
            return {key: each[-1] for key, each in records.items()}, strays
        case "pool":
            return {key: _pooled([*map(_cut, each)]) for key, each in records.items()}, strays


def _cut(prediction: Prediction) -> Prediction:
    """Return the prediction with the first ten spans only."""
    if prediction.spans is None:
        return prediction
    scores = None if prediction.scores is None else prediction.scores[:POOLED]
    return replace(prediction, spans=prediction.spans[:POOLED], scores=scores)


def _pooled(records: Sequence[Prediction]) -> Prediction:
    """Return the last record with the spans of all, its own listed first.

    Its spans are ranked in the order of the records: scores become ranks, for which the order of
    the list does not matter.
    """
    last = records[-1]
    if len(records) == 1 or not last.spans or last.scores is None:
        return last
    spans: list[Span] = []
    scores: list[float] = []
    for record in records:
        if record.spans and record.scores:
            spans += record.spans
            scores += record.scores
    ranked = sorted(range(len(scores)), key=lambda place: -scores[place])  # stable; NaN as it falls
    ranks = {place: -float(rank) for rank, place in enumerate(ranked)}
    own = len(spans) - len(last.spans)
    order = (*range(own, len(spans)), *range(own))
    return replace(
        last,
        spans=tuple(spans[place] for place in order),
        scores=tuple(ranks[place] for place in order),
    )


def _ledger(readings: Iterable[Reading], strays: Counter[Failure]) -> dict[Failure, int]:
    counts = strays + Counter(kind for reading in readings for kind in reading.kinds)
    return {kind: counts[kind] for kind in Failure if counts[kind]}
