"""From one prediction to the spans that a protocol sees in it, and what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vtg_eval.failures import Failure
from vtg_eval.parsing import Parse, span_parser
from vtg_eval.protocol import AnswerRule, Protocol
from vtg_eval.types import Prediction, Sample, Span

WHOLE_VIDEO = 0.95  # of the duration: from here on an answer says nothing
USELESS = (Failure.MALFORMED, Failure.TOO_MANY_SPANS, Failure.REFUSED)  # but answers they are


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer under a protocol. `spans` are in rank order; the first is the one that counts.

    Under a rule with the unit "percent" they are fractions of the duration, else seconds.
    `absent`: the answer says that the event never happens. `answered`: there was an answer at
    all, be it a useless one. `kinds`: what is wrong, in the ledger's words.
    """

    spans: tuple[Span, ...] = ()
    absent: bool = False
    answered: bool = True
    kinds: tuple[Failure, ...] = ()

    @property
    def span(self) -> Span | None:
        """The span that counts."""
        return self.spans[0] if self.spans else None


def read_answer(sample: Sample, prediction: Prediction | None, protocol: Protocol) -> Reading:
    """Read a prediction (None: there is none) as the protocol does."""
    if prediction is None:
        return Reading(answered=False, kinds=(Failure.MISSING,))
    kinds = _named(prediction.failure)
    if kinds and prediction.text is None and prediction.spans is None:
        return Reading(answered=kinds[0] in USELESS, kinds=kinds)
    rule = protocol.answer
    parse = _parse(prediction, rule)
    if parse.failure is not None:
        return Reading(kinds=tuple(dict.fromkeys((*kinds, parse.failure))))
    if parse.absent:
        wrong = (Failure.SAID_NEVER,) if sample.target.spans else ()
        return Reading(absent=True, kinds=(*kinds, *wrong))
    spans = _converted(parse.spans, sample, prediction, rule)
    ranked = spans[-1:] if rule.select == "last" else spans
    found = _faults(ranked[0], sample, rule)
    if rule.reversed == "swap":
        ranked = tuple(Span(min(span), max(span)) for span in ranked)
    return Reading(spans=ranked, kinds=(*kinds, *found))


def _named(failure: str | None) -> tuple[Failure, ...]:
    if failure is None:
        return ()
    return (Failure(failure) if failure in set(Failure) else Failure.ERROR,)


def _parse(prediction: Prediction, rule: AnswerRule) -> Parse:
    """Ready spans come before text; an empty list of them says that there is no such moment."""
    if prediction.spans is not None:
        return Parse(prediction.spans) if prediction.spans else Parse(absent=True)
    if prediction.text is not None:
        return span_parser(rule.parser)(prediction.text)
    return Parse(failure=Failure.UNPARSED)


def _converted(
    spans: tuple[Span, ...], sample: Sample, prediction: Prediction, rule: AnswerRule
) -> tuple[Span, ...]:
    """Return the spans in the unit of the score."""
    if rule.unit == "percent":
        whole = 100.0 if prediction.spans is None else (sample.duration or math.nan)
        return tuple(Span(span.start / whole, span.end / whole) for span in spans)
    if rule.quantum:
        return tuple(Span(*(_rounded(time, rule.quantum) for time in span)) for span in spans)
    return spans


def _rounded(time: float, quantum: float) -> float:
    return round(time / quantum) * quantum if math.isfinite(time) else time


def _faults(span: Span, sample: Sample, rule: AnswerRule) -> tuple[Failure, ...]:
    """Name what is wrong with the span that counts."""
    if not (math.isfinite(span.start) and math.isfinite(span.end)):
        return (Failure.NON_FINITE,)
    length = 1.0 if rule.unit == "percent" else sample.duration
    found = []
    if span.end < span.start:
        found.append(Failure.REVERSED)
    if span.end == span.start:
        found.append(Failure.ZERO_LENGTH)
    if not sample.target.spans:
        found.append(Failure.SAID_PRESENT)
    if span.start < 0 or (length is not None and max(span) > length):
        found.append(Failure.OUT_OF_RANGE)
    if length is not None and min(span.end, length) - max(span.start, 0.0) >= WHOLE_VIDEO * length:
        found.append(Failure.WHOLE_VIDEO)
    return tuple(found)
