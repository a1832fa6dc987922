"""From one prediction to what a protocol sees in it, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from string import ascii_uppercase
from typing import NamedTuple

from vtg_eval.failures import Failure
from vtg_eval.parsing.choices import Choice, choice_parser
from vtg_eval.parsing.spans import Parse, span_parser
from vtg_eval.protocol import AnswerRule, ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, ScoredSpan, Span, SpanList, scored

WHOLE_VIDEO = 0.95  # of the duration: from here on an answer says nothing
USELESS = (Failure.MALFORMED, Failure.TOO_MANY_SPANS, Failure.REFUSED)  # but answers they are


class ParsedAnswer(NamedTuple):  # by the hundred thousand, and a dataclass takes four times as long
    """An answer under a protocol. `listed`: its spans, with their scores where it gave some.

    The first span is the one that counts. Under a rule with the unit "percent" spans are
    fractions of the duration, else seconds. `absent`: the answer says that the event never
    happens. `letters`: the options that it names. `saliency`: one number a clip. `answered`:
    there was an answer at all, be it a useless one. `kinds`: what is wrong, in the ledger's words.
    """

    listed: SpanList = ()
    absent: bool = False
    letters: tuple[str, ...] = ()
    saliency: tuple[float, ...] | None = None
    answered: bool = True
    kinds: tuple[Failure, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The listed spans without their scores."""
        if scored(self.listed):
            return tuple(Span(span.start, span.end) for span in self.listed)
        return self.listed

    @property
    def scores(self) -> tuple[float, ...] | None:
        """One score for each listed span, None where the answer has none."""
        return tuple(span.score for span in self.listed) if scored(self.listed) else None

    @property
    def span(self) -> Span | None:
        """The span that counts."""
        return self.spans[0] if self.listed else None


def parse_answer(
    sample: Sample, prediction: Prediction | None, protocol: ResolvedProtocol
) -> ParsedAnswer:
    """Read a prediction (None: there is none) as the protocol does."""
    if prediction is None:
        return ParsedAnswer(answered=False, kinds=(Failure.MISSING,))
    kinds = () if prediction.failure is None else (prediction.failure,)
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
    listed = spans[-1:] if rule.select == "last" else spans
    found = _faults(listed[0], sample, rule)
    if rule.reversed == "swap":
        listed = _moved(listed, lambda start, end: (min(start, end), max(start, end)))
    return ParsedAnswer(listed=listed, saliency=saliency, kinds=_once(*kinds, *found))


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


def _parse(prediction: Prediction, rule: AnswerRule) -> Parse:
    """Ready spans come before text; an empty list of them says that there is no such moment."""
    if prediction.spans is not None:
        return Parse(prediction.spans) if prediction.spans else Parse(absent=True)
    if prediction.text is not None:
        return span_parser(rule.parser)(prediction.text)
    return Parse(failure=Failure.UNPARSED)


def _scaled(parse: Parse, sample: Sample) -> SpanList:
    """Return the parsed spans, those given as fractions of the duration in seconds."""
    if not parse.fractions:
        return parse.spans
    length = math.nan if sample.duration is None else sample.duration
    return _moved(parse.spans, lambda start, end: (start * length, end * length))


def _converted(
    spans: SpanList, sample: Sample, prediction: Prediction, rule: AnswerRule
) -> SpanList:
    """Return the spans in the unit of the score."""
    if rule.unit == "percent":
        whole = 100.0 if prediction.spans is None else (sample.duration or math.nan)
        return _moved(spans, lambda start, end: (start / whole, end / whole))
    if quantum := rule.quantum:
        return _moved(spans, lambda start, end: (_rounded(start, quantum), _rounded(end, quantum)))
    return spans


def _moved(spans: SpanList, move: Callable[[float, float], tuple[float, float]]) -> SpanList:
    """Return the spans with other times, their scores kept."""
    if scored(spans):
        return tuple(ScoredSpan(*move(start, end), score) for start, end, score in spans)
    return tuple([Span(*move(start, end)) for start, end in spans])  # faster than a generator


def _rounded(time: float, quantum: float) -> float:
    return round(time / quantum) * quantum if math.isfinite(time) else time


def _faults(span: Span | ScoredSpan, sample: Sample, rule: AnswerRule) -> tuple[Failure, ...]:
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
    if span.start < 0 or (length is not None and max(span.start, span.end) > length):
        found.append(Failure.OUT_OF_RANGE)
    if length is not None and min(span.end, length) - max(span.start, 0.0) >= WHOLE_VIDEO * length:
        found.append(Failure.WHOLE_VIDEO)
    return tuple(found)
