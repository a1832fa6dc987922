"""The samples whose values changed most between two runs, with both answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.comparison.pairing import Pairing
from vtg_eval.files.json_files import finite
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.types import OutputType, Sample, Span

SHOWN_SPANS = 3
CHANGED = 5  # samples with the largest gain, and as many with the largest loss


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """A parsed answer or the ground truth: its first spans in seconds (or the protocol's unit),
    the option, and whether it states that the event never happens."""

    spans: tuple[tuple[float | None, float | None], ...]
    choice: str | None
    never: bool


@dataclass(frozen=True, slots=True)
class ChangedSample:
    """A sample: both runs' values of the chosen metric in percent, and their answers.

    `truth` is None and the query empty for runs read from scores as JSON.
    """

    id: str
    video: str
    query: str
    first: float
    second: float
    truth: AnswerSummary | None
    first_answer: AnswerSummary
    second_answer: AnswerSummary


def changed_samples(pairing: Pairing) -> tuple[ChangedSample, ...]:
    """Return the samples with the largest gains and losses, the largest change first."""
    samples, pair = pairing.samples, pairing.pairs[pairing.metric]
    change = np.where(pair.counted & np.isfinite(pair.change), pair.change, 0.0)
    gained = [row for row in np.argsort(-change, kind="stable")[:CHANGED] if change[row] > 0]
    lost = [row for row in np.argsort(change, kind="stable")[:CHANGED] if change[row] < 0]
    rows = sorted((*gained, *lost), key=lambda row: (-abs(change[row]), row))
    return tuple(_change(pairing, samples[row], int(row)) for row in rows)


def _change(pairing: Pairing, sample: Sample, row: int) -> ChangedSample:
    pair = pairing.pairs[pairing.metric]
    first, second = (
        run.parsed_answers[rows[row]]
        for run, rows in zip((pairing.first, pairing.second), pairing.rows, strict=True)
    )
    return ChangedSample(
        id=sample.id,
        video=sample.video,
        query=sample.query,
        first=100 * float(pair.first.values[row]),
        second=100 * float(pair.second.values[row]),
        truth=_truth(sample) if sample.query else None,
        first_answer=_summary(first),
        second_answer=_summary(second),
    )


def _truth(sample: Sample) -> AnswerSummary:
    spans, choice = sample.target.spans, sample.target.choice
    return AnswerSummary(_plain(spans), choice, sample.asks is OutputType.SPANS and not spans)


def _summary(parsed: ParsedAnswer) -> AnswerSummary:
    choice = parsed.letters[0] if parsed.letters else None
    return AnswerSummary(_plain(parsed.spans), choice, parsed.absent)


def _plain(spans: Sequence[Span]) -> tuple[tuple[float | None, float | None], ...]:
    return tuple((finite(span.start), finite(span.end)) for span in spans[:SHOWN_SPANS])
