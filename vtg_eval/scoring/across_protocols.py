"""The same answers scored under every protocol of the task: which figures differ, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from vtg_eval.errors import NotApplicableError
from vtg_eval.failures import Failure
from vtg_eval.files.json_files import Metrics, finite_metrics
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import Protocol
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.score import Score, score_answers
from vtg_eval.task import Card

MIN_DIFFERENCE = 0.05  # percentage points: smaller differences are not reported


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """One protocol's figures for the same answers.

    differs: whether a metric that the run's protocol has too differs by more than 0.05 points.
    why: the protocol's differences that affect these answers.
    """

    protocol: str
    n_scored: int
    metrics: Metrics
    differs: bool
    why: tuple[str, ...]


class _Content(NamedTuple):
    """The content of the samples, and of their answers as a protocol parses them.

    changed: how many are parsed differently than under the run's protocol. several: whether any
    target has several occurrences; ranked: whether any answer has several spans.
    """

    changed: int
    several: bool
    ranked: bool


def scores_across_protocols(
    card: Card, answers: AnswerSet, protocols: Iterable[Protocol], split: str
) -> tuple[Score, ...]:
    """Score one set of answers under every protocol that is defined for the task.

    Left out are protocols whose models answer in another unit than seconds, because the same
    numbers would mean something else, and those that need what these annotations do not have,
    such as durations.
    """
    family = card.metric_family
    scores = []
    for protocol in protocols:
        with suppress(NotApplicableError):
            resolved = protocol.for_task(card.name, family, split)
            if resolved.answer.unit == "seconds":
                scores.append(score_answers(card, answers, resolved, split))
    return tuple(scores)


def protocol_scores(base: Score, others: Iterable[Score]) -> tuple[ProtocolScore, ...]:
    """Compare a score with those of the same answers under other protocols."""
    others = tuple(others)
    several = any(len(sample.target.spans) > 1 for sample in base.samples)
    # protocols that parse the answers alike share one tuple of them
    parsed = {id(other.parsed_answers): other.parsed_answers for other in others}
    content = {
        key: _Content(
            changed=_changed(base.parsed_answers, answers),
            several=several,
            ranked=any(len(answer.listed) > 1 for answer in answers),
        )
        for key, answers in parsed.items()
    }
    return tuple(
        ProtocolScore(
            protocol=other.protocol,
            n_scored=other.n_scored,
            metrics=finite_metrics(other.metrics),
            differs=_differs(base, other),
            why=tuple(_reasons(base, other, content[id(other.parsed_answers)])),
        )
        for other in others
    )


def _differs(base: Score, other: Score) -> bool:
    shared = base.metrics.keys() & other.metrics.keys()
    pairs = [(base.metrics[name], other.metrics[name]) for name in shared]
    # not (a <= b): NaN differs from every number
    return any(
        not (abs(a - b) <= MIN_DIFFERENCE or (math.isnan(a) and math.isnan(b))) for a, b in pairs
    )


def _changed(answers: Iterable[ParsedAnswer], others: Iterable[ParsedAnswer]) -> int:
    """Return how many answers are parsed differently."""
    pairs = zip(answers, others, strict=True)
    return sum([a != b and _content(a) != _content(b) for a, b in pairs])  # most are equal


def _reasons(base: Score, other: Score, content: _Content) -> Iterable[str]:
    """content: of the answers as the other protocol parses them."""
    dropped = base.n_scored - other.n_scored
    if dropped:
        yield f"{abs(dropped)} {'fewer' if dropped > 0 else 'more'} in the denominator"
    if content.changed:
        yield f"parsed differently: {content.changed} answers"
    yield from _differences(base, other, content)
    non_finite = other.failures.get(Failure.NON_FINITE, 0)
    if non_finite and base.rule.non_finite != other.rule.non_finite:
        yield f"times that are not numbers may count as hits: {non_finite} answers"


def _content(parsed: ParsedAnswer) -> tuple[object, ...]:
    return parsed.spans, parsed.letters, parsed.absent


def _differences(base: Score, other: Score, content: _Content) -> Iterable[str]:
    """Yield the scoring rules that differ and can affect these answers, as "truth clamp"."""
    for name, label, applies in (
        ("comparator", "IoU", True),
        ("truth", "truth", True),
        ("occurrences", "occurrences:", content.several),
        ("repeats", "repeated questions:", True),
        ("iou_decimals", "decimals of each IoU:", True),
        ("nms", "NMS", content.ranked),
        ("decimals", "decimals of the figure:", True),
    ):
        value = getattr(other.rule, name)
        if applies and value != getattr(base.rule, name):
            yield f"{label} {value}"
