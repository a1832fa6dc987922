"""From one prediction to what a protocol sees in it, and what is wrong with it."""

from __future__ import annotations

import math
from string import ascii_uppercase
from typing import NamedTuple

from vtg_eval.failures import Failure
from vtg_eval.parsing.choices import Choice, choice_parser
from vtg_eval.parsing.spans import Parse, span_parser
from vtg_eval.protocol import AnswerRule, ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, Span

WHOLE_VIDEO = 0.95  # of the duration: from here on an answer says nothing
USELESS = (Failure.MALFORMED, Failure.TOO_MANY_SPANS, Failure.REFUSED)  # but answers they are


class ParsedAnswer(NamedTuple):  # by the hundred thousand, and a dataclass takes four times as long
    """An answer under a protocol. `spans` are in rank order; the first is the one that counts.

    Under a rule with the unit "percent" they are fractions of the duration, else seconds.
    `scores`: one for each span, None where the answer has none. `absent`: the answer says that
    the event never happens. `letters`: the options that it names. `saliency`: one number a clip.
    `answered`: there was an answer at all, be it a useless one. `kinds`: what is wrong, in the
    ledger's words.
    """

    spans: tuple[Span, ...] = ()
    scores: tuple[float, ...] | None = None
    absent: bool = False
    letters: tuple[str, ...] = ()
    saliency: tuple[float, ...] | None = None
    answered: bool = True
    kinds: tuple[Failure, ...] = ()

    @property
    def span(self) -> Span | None:
        """The span that counts."""
        return self.spans[0] if self.spans else None


def parse_answer(
    sample: Sample, prediction: Prediction | None, protocol: ResolvedProtocol
) -> ParsedAnswer:
    """Read a prediction (None: there is none) as the protocol does."""
    if prediction is None:
        return ParsedAnswer(answered=False, kinds=(Failure.MISSING,))
    kinds = _named(prediction.failure)
    if kinds:
        ready = (prediction.text, prediction.spans, prediction.choice, prediction.saliency)
        if all(value is None for value in ready):
            return ParsedAnswer(answered=kinds[0] in USELESS, kinds=kinds)
    if sample.asks is OutputType.CHOICE:
        reading = ParsedAnswer(saliency=prediction.saliency, kinds=kinds)
    else:
        reading = _read_spans(sample, prediction, protocol.answer, kinds)
    if sample.asks is not OutputType.SPANS:
        reading = _with_choice(reading, sample, prediction, protocol.answer)
    return reading


def _read_spans(
    sample: Sample, prediction: Prediction, rule: AnswerRule, kinds: tuple[Failure, ...]
) -> ParsedAnswer:
    """Read the spans; `kinds` is what was wrong before that."""
    parse, saliency = _parse(prediction, rule), prediction.saliency
    if parse.failure is not None:
        return ParsedAnswer(saliency=saliency, kinds=_once(*kinds, parse.failure))
    if parse.absent:
        wrong = (Failure.FALSE_ABSENT,) if sample.target.spans else ()
        return ParsedAnswer(absent=True, saliency=saliency, kinds=_once(*kinds, *wrong))
    spans = _converted(_scaled(parse, sample), sample, prediction, rule)
    ranked = spans[-1:] if rule.select == "last" else spans
    found = _faults(ranked[0], sample, rule)
    if rule.reversed == "swap":
        ranked = tuple(Span(min(span), max(span)) for span in ranked)
    scores = None if prediction.spans is None else prediction.scores
    return ParsedAnswer(spans=ranked, scores=scores, saliency=saliency, kinds=_once(*kinds, *found))


def _once(*kinds: Failure) -> tuple[Failure, ...]:
    return tuple(dict.fromkeys(kinds))


def _with_choice(
    reading: ParsedAnswer, sample: Sample, prediction: Prediction, rule: AnswerRule
) -> ParsedAnswer:
    """Read the option; a ready letter comes before text.

    Where the annotation does not have the options, any capital may be one of them.
    """
    if prediction.choice is not None:
        known = prediction.choice in (sample.letters or tuple(ascii_uppercase))
        found = Choice((prediction.choice,), None if known else Failure.MALFORMED)
    elif prediction.text is not None:
        found = choice_parser(rule.choice_parser)(prediction.text, sample.options)
    else:
        found = Choice(failure=Failure.UNPARSED)
    kinds = () if found.failure is None else (found.failure,)
    return reading._replace(letters=found.letters, kinds=_once(*reading.kinds, *kinds))


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


def _scaled(parse: Parse, sample: Sample) -> tuple[Span, ...]:
    """Return the parsed spans, those given as fractions of the duration in seconds."""
    if not parse.fractions:
        return parse.spans
    length = math.nan if sample.duration is None else sample.duration
    return tuple(Span(span.start * length, span.end * length) for span in parse.spans)


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
        found.append(Failure.FALSE_PRESENT)
    if span.start < 0 or (length is not None and max(span) > length):
        found.append(Failure.OUT_OF_RANGE)
    if length is not None and min(span.end, length) - max(span.start, 0.0) >= WHOLE_VIDEO * length:
        found.append(Failure.WHOLE_VIDEO)
    return tuple(found)
