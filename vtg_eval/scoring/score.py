"""Scoring: samples, answers and a protocol in, figures and failure counts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vtg_eval.errors import UserError, suggestion
from vtg_eval.failures import Failure
from vtg_eval.metrics.iou import Floats
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.choice import choice
from vtg_eval.scoring.clues import clues
from vtg_eval.scoring.grounded_choice import grounded_choice
from vtg_eval.scoring.grounding import grounding
from vtg_eval.scoring.highlights import highlights
from vtg_eval.scoring.moment_choice import moment_choice
from vtg_eval.scoring.segment_ranks import segment_ranks
from vtg_eval.scoring.table import Family, Table, counted_in
from vtg_eval.statistics.bootstrap import LEVEL, RESAMPLES, Interval, interval, resampled_means
from vtg_eval.statistics.nearly_constant import nearly_constant
from vtg_eval.task import Card
from vtg_eval.types import Prediction, Sample

# metric families by the name that a card gives
FAMILIES: Mapping[str, Family] = {
    "grounding": grounding,
    "choice": choice,
    "clues": clues,
    "grounded choice": grounded_choice,
    "highlights": highlights,
    "moment choice": moment_choice,
    "segment ranks": segment_ranks,
}


@dataclass(frozen=True)
class Score:
    """One task's result under one protocol. `rule` is the protocol's.

    `parsed_answers` are in the order of `samples`; `metrics` are percent, unrounded unless the
    protocol rounds; `failures` counts all kinds that occur.
    """

    task: str
    split: str
    protocol: str
    rule: ScoreRule
    samples: tuple[Sample, ...]
    parsed_answers: tuple[ParsedAnswer, ...]
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
    protocol: ResolvedProtocol,
    split: str,
) -> Score:
    """Score answers. They may come in any order; the result does not depend on it.

    protocol: resolved for this task and split. Raises UserError where there is no metric family
    of the card's name, and what the family raises.
    """
    return score_answers(card, AnswerSet(samples, predictions), protocol, split)


def score_answers(card: Card, answers: AnswerSet, protocol: ResolvedProtocol, split: str) -> Score:
    """Score answers that may be scored under other protocols, too. Errors as for `score`."""
    name = card.metric_family
    if name not in FAMILIES:
        raise UserError(f'There is no metric family "{name}". {suggestion(name, FAMILIES)}')
    parsed = answers.parse(protocol)
    table = FAMILIES[name](card, answers.samples, parsed.parsed_answers, protocol)
    return Score(
        task=card.name,
        split=split,
        protocol=protocol.name,
        rule=protocol.score,
        samples=answers.samples,
        parsed_answers=parsed.parsed_answers,
        table=table,
        metrics=table.metrics(),
        failures=parsed.failures,
    )


def bootstrap(result: Score, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """Return each metric's 95 % interval in percent.

    Whole videos are resampled. Where nearly all videos have the same values, the interval is that
    of `nearly_constant` instead.
    """
    cluster_of: dict[str, int] = {}
    clusters = np.array([cluster_of.setdefault(s.video, len(cluster_of)) for s in result.samples])
    table, columns = result.table, result.table.columns
    resampled = resampled_means(
        np.stack([column.values for column in columns.values()], axis=1),
        clusters,
        np.stack([column.counted for column in columns.values()], axis=1),
        resamples=resamples,
        seed=seed,
    ).each(lambda means: _figures(table, means))
    counted = {name: column.counted for name, column in columns.items()}
    exact: dict[str, Interval] = {}
    for name, column in columns.items():
        rows = column.counted
        near = nearly_constant(100 * column.values[rows], clusters[rows], (0.0, 100.0))
        if near is not None:
            exact[name] = Interval(*near.ends(LEVEL))
    for name, derived in table.derived.items():
        if exact.keys() >= {*derived.of}:
            figures = derived.at_ends(exact)
            exact[name] = Interval(float(figures.min()), float(figures.max()))
    return {
        name: exact[name]
        if name in exact
        else interval(figure, len(np.unique(clusters[counted_in(name, counted, table.derived)])))
        for name, figure in zip(table.names, resampled.columns(), strict=True)
    }


def _figures(table: Table, means: Floats) -> Floats:
    """Return all figures in percent, [R, names], from the columns' means, [R, M]."""
    figures = dict(zip(table.columns, 100 * means.T, strict=True))
    for name, derived in table.derived.items():
        figures[name] = derived.figures(figures)
    return np.stack([figures[name] for name in table.names], axis=1)
