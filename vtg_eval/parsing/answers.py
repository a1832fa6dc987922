"""One prediction as a protocol parses it: its spans or letters, and its failures."""

from __future__ import annotations

import math
from collections.abc import Callable
from string import ascii_uppercase
from typing import NamedTuple

from vtg_eval.failures import Failure
from vtg_eval.parsing.choice_rules import Choice
from vtg_eval.parsing.choices import choice_parser
from vtg_eval.parsing.spans import Parse, span_parser
from vtg_eval.protocol import AnswerRule, ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, ScoredSpan, Span, SpanList, scored

WHOLE_VIDEO = 0.95  # of the duration: an answer of at least this length says nothing
# failures that are answers, though without anything to score
USELESS = (Failure.MALFORMED, Failure.TOO_MANY_SPANS, Failure.REFUSED)


class ParsedAnswer(NamedTuple):  # hundreds of thousands; a dataclass is 4 x slower
    """An answer under a protocol. `listed`: its spans, with their scores where it has some.

    The first span is the one that counts. Under a rule with the unit "percent" spans are
    fractions of the duration, else seconds. `absent`: the answer says that the event never
    happens. `letters`: the options that it names. `saliency`: one number a clip. `answered`:
    whether there was an answer at all, useful or not. `kinds`: its failures.
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
    """Parse a prediction as the protocol does; None is a missing answer."""
    if prediction is None:
        return ParsedAnswer(answered=False, kinds=(Failure.MISSING,))
    kinds = () if prediction.failure is None else (prediction.failure,)
    if kinds:
        content = (prediction.text, prediction.spans, prediction.choice, prediction.saliency)
        if all(value is None for value in content):
            return ParsedAnswer(answered=kinds[0] in USELESS, kinds=kinds)
    if sample.asks is OutputType.CHOICE:
        parsed = ParsedAnswer(saliency=prediction.saliency, kinds=kinds)
    else:
        parsed = _parse_spans(sample, prediction, protocol.answer, kinds)
    if sample.asks is not OutputType.SPANS:
        parsed = _with_choice(parsed, sample, prediction, protocol.answer)
    return parsed._replace(kinds=(*parsed.kinds, Failure.ESCAPED)) if prediction.escaped else parsed


def _parse_spans(
    sample: Sample, prediction: Prediction, rule: AnswerRule, kinds: tuple[Failure, ...]
) -> ParsedAnswer:
    """Parse the spans; `kinds` are the failures so far."""
    parse, saliency = _parse(prediction, rule), prediction.saliency
    if parse.failure is not None:
        return ParsedAnswer(saliency=saliency, kinds=_once(kinds, (parse.failure,)))
    if parse.absent:
        wrong = (Failure.FALSE_ABSENT,) if sample.target.spans else ()
        return ParsedAnswer(absent=True, saliency=saliency, kinds=_once(kinds, wrong))
    spans = _converted(_scaled(parse, sample), sample, prediction, rule)
    listed = spans[-1:] if rule.select == "last" else spans
    faults = _faults(listed[0], sample, rule)
    if rule.reversed == "swap":
        listed = _moved(listed, lambda start, end: (min(start, end), max(start, end)))
    return ParsedAnswer(listed=listed, saliency=saliency, kinds=_once(kinds, faults))


def _once(kinds: tuple[Failure, ...], more: tuple[Failure, ...]) -> tuple[Failure, ...]:
    """Return both without repetitions; neither has some of its own."""
    return tuple(dict.fromkeys(kinds + more)) if kinds and more else kinds or more


def _with_choice(
    parsed: ParsedAnswer, sample: Sample, prediction: Prediction, rule: AnswerRule
) -> ParsedAnswer:
    """Parse the option; a letter that the prediction has comes before its text.

    Where the annotation has no options, any capital counts as one.
    """
    if prediction.choice is not None:
        exists = prediction.choice in (sample.letters or tuple(ascii_uppercase))
        choice = Choice((prediction.choice,), None if exists else Failure.MALFORMED)
    elif prediction.text is not None:
        choice = choice_parser(rule.choice_parser)(prediction.text, sample.options)
    else:
        choice = Choice(failure=Failure.UNPARSED)
    kinds = () if choice.failure is None else (choice.failure,)
    return parsed._replace(letters=choice.letters, kinds=_once(parsed.kinds, kinds))


def _parse(prediction: Prediction, rule: AnswerRule) -> Parse:
    """Spans come before text; an empty list of spans says that there is no such moment."""
    if prediction.spans is not None:
        return Parse(prediction.spans) if prediction.spans else Parse(absent=True)
    if prediction.text is not None:
        return span_parser(rule.parser)(prediction.text)
    return Parse(failure=Failure.UNPARSED)


def _scaled(parse: Parse, sample: Sample) -> SpanList:
    """Return the parsed spans, fractions of the duration converted to seconds."""
    if not parse.fractions:
        return parse.spans
    length = math.nan if sample.duration is None else sample.duration
    return _moved(parse.spans, lambda start, end: (start * length, end * length))


def _converted(
    spans: SpanList, sample: Sample, prediction: Prediction, rule: AnswerRule
) -> SpanList:
    """Return the spans in the unit of the score."""
    if rule.unit == "percent":
        full_length = 100.0 if prediction.spans is None else (sample.duration or math.nan)
        return _moved(spans, lambda start, end: (start / full_length, end / full_length))
    if quantum := rule.quantum:
        return _moved(spans, lambda start, end: (_rounded(start, quantum), _rounded(end, quantum)))
    return spans


def _moved(spans: SpanList, move: Callable[[float, float], tuple[float, float]]) -> SpanList:
    """Return the spans with their times moved and their scores kept."""
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
    faults = []
    if span.end < span.start:
        faults.append(Failure.REVERSED)
    if span.end == span.start:
        faults.append(Failure.ZERO_LENGTH)
    if not sample.target.spans:
        faults.append(Failure.FALSE_PRESENT)
    if span.start < 0 or (length is not None and max(span.start, span.end) > length):
        faults.append(Failure.OUT_OF_RANGE)
    if length is not None and min(span.end, length) - max(span.start, 0.0) >= WHOLE_VIDEO * length:
        faults.append(Failure.WHOLE_VIDEO)
    return tuple(faults)
