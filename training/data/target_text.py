"""The answer to learn: the label in words that the sample's protocol reads as the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose

from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, Span

from .sample import TrainingSample

# of one span; several are joined by commas. The first that a protocol reads rightly is taken.
WORDINGS = ("{:.1f} - {:.1f}", "{:.1f} to {:.1f}")
TENTH = 0.05 + 1e-9  # seconds by which a time with one decimal may be off


def target_text(
    sample: TrainingSample, protocol: ResolvedProtocol, reasoning: bool, quantum: float = 0.0
) -> str:
    """Return the answer to learn for a sample: its reasoning text, or its label alone.

    Times are written in seconds with one decimal, as multiples of `quantum` where that is not 0
    (but no moment becomes empty). Raises UserError where the recipe learns
    reasoning and the sample has none, and where the protocol's parser would not read any wording
    of the label as the label.
    """
    if reasoning:
        if sample.reasoning is None:
            raise UserError(
                f"{sample.id} has no reasoning text to learn; filter such samples out by "
                "[curation] format, or set sft.reasoning = false."
            )
        return sample.reasoning
    question = _rounded(sample, quantum).to_sample()
    for text in _texts(question):
        if _means(parse_answer(question, Prediction(sample.id, text=text), protocol), question):
            return text
    raise UserError(
        f"The protocol {protocol.name} does not read any plain wording of the label of {sample.id}."
        " Take another protocol, or samples with a reasoning text."
    )


def _rounded(sample: TrainingSample, quantum: float) -> TrainingSample:
    if not quantum:
        return sample
    spans = []
    for start, end in sample.spans:
        first = round(start / quantum) * quantum
        spans.append(Span(first, max(round(end / quantum) * quantum, first + quantum)))
    return replace(sample, spans=tuple(spans))


def _texts(sample: Sample) -> Sequence[str]:
    spans = sample.target.spans
    timed = [", ".join(words.format(*span) for span in spans) for words in WORDINGS]
    match sample.asks:
        case OutputType.SPANS:
            return timed
        case OutputType.CHOICE:
            return [str(sample.target.choice)]
        case OutputType.BOTH:
            return [f"{sample.target.choice}, {text}" for text in timed]


def _means(reading: ParsedAnswer, sample: Sample) -> bool:
    right_option = sample.asks is OutputType.SPANS or reading.letters == (sample.target.choice,)
    if sample.asks is OutputType.CHOICE:
        return right_option
    truth = sample.target.spans
    # a protocol of one span may read the last of several only
    found = truth[-len(reading.spans) :] if reading.spans else ()
    return right_option and bool(found) and all(map(_near, reading.spans, found))


def _near(read: Span, true: Span) -> bool:
    return all(isclose(a, b, rel_tol=0.0, abs_tol=TENTH) for a, b in zip(read, true, strict=True))
