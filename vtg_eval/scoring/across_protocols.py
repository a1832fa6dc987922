"""The same answers under every protocol of the task: how far the figure moves, and why."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from vtg_eval.errors import NotApplicableError
from vtg_eval.failures import Failure
from vtg_eval.files.json_files import Metrics, finite_metrics
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import Protocol
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.score import Score, score_answers
from vtg_eval.task import Card

LEAST = 0.05  # percentage points: smaller differences are not worth a row


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """One protocol's figures for the same answers.

    differs: whether a metric that the run's own protocol has as well is off by more than 0.05
    points. why: what the protocol does otherwise that touched these answers.
    """

    protocol: str
    n_scored: int
    metrics: Metrics
    differs: bool
    why: tuple[str, ...]


def scores_across_protocols(
    card: Card, answers: AnswerSet, protocols: Iterable[Protocol], split: str
) -> tuple[Score, ...]:
    """Score one set of answers under every protocol that is defined for the task.

    Protocols whose models answer in another unit than seconds are left out: they would read
    the same numbers as something else. So are those that need what these annotations do not
    have, such as durations.
    """
    family = card.metric_family
    covering = (each for each in protocols if each.covers(card.name, family))
    scores = []
    for protocol in (each.for_task(card.name, family, split) for each in covering):
        if protocol.answer.unit == "seconds":
            with suppress(NotApplicableError):
                scores.append(score_answers(card, answers, protocol, split))
    return tuple(scores)


def protocol_scores(own: Score, others: Iterable[Score]) -> tuple[ProtocolScore, ...]:
    """Compare a score with those of the same answers under other protocols."""
    return tuple(
        ProtocolScore(
            protocol=other.protocol,
            n_scored=other.n_scored,
            metrics=finite_metrics(other.metrics),
            differs=_apart(own, other),
            why=tuple(_reasons(own, other)),
        )
        for other in others
    )


def _apart(own: Score, other: Score) -> bool:
    shared = own.metrics.keys() & other.metrics.keys()
    # not (a <= b): a figure that is no number differs from every other
    return any(not abs(own.metrics[name] - other.metrics[name]) <= LEAST for name in shared)


def _reasons(own: Score, other: Score) -> Iterable[str]:
    dropped = own.n_scored - other.n_scored
    if dropped:
        yield f"{abs(dropped)} {'fewer' if dropped > 0 else 'more'} in the denominator"
    pairs = list(zip(own.parsed_answers, other.parsed_answers, strict=True))
    moved = sum(_said(a) != _said(b) for a, b in pairs)
    if moved:
        yield f"read otherwise: {moved} answers"
    for name, rule in _differences(own, other):
        yield f"{name} {rule}"
    bad = sum(Failure.NON_FINITE in reading.kinds for reading in other.parsed_answers)
    if bad and own.rule.non_finite != other.rule.non_finite:
        yield f"may hit without being numbers: {bad} answers"


def _said(reading: ParsedAnswer) -> tuple[object, ...]:
    return reading.spans, reading.letters, reading.absent


def _differences(own: Score, other: Score) -> Iterable[tuple[str, str]]:
    """Name the rules of scoring that differ, where they can touch these answers."""
    several = any(len(sample.target.spans) > 1 for sample in own.samples)
    ranked = any(len(reading.listed) > 1 for reading in other.parsed_answers)
    for name, said, touches in (
        ("comparator", "IoU", True),
        ("truth", "truth", True),
        ("occurrences", "occurrences:", several),
        ("repeats", "repeated questions:", True),
        ("iou_decimals", "decimals of each IoU:", True),
        ("nms", "NMS", ranked),
        ("decimals", "decimals of the figure:", True),
    ):
        there = getattr(other.rule, name)
        if touches and there != getattr(own.rule, name):
            yield said, f"{there}"
