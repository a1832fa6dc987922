"""From an answer's text to spans: one small function for each protocol's rule.

Every pattern here is linear in the text's length, because answers are untrusted input: digits are
matched possessively and a match may not begin within a run of them, which gives the same matches
as the plain patterns of the sources. A parser never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from vtg_eval.errors import UserError, suggestion
from vtg_eval.failures import Failure
from vtg_eval.parsing import strict_answer_1
from vtg_eval.parsing.clue_intervals import Intervals, cg_bench_intervals, vlmevalkit_intervals
from vtg_eval.parsing.final_answer import final_answers, labelled
from vtg_eval.parsing.strict_answer import spans_in
from vtg_eval.parsing.strict_answer_1 import ABSENCE, REFUSAL
from vtg_eval.parsing.vocabulary import NEVER, NO_ANSWER
from vtg_eval.types import Span, SpanList


class Parse(NamedTuple):
    """The spans of an answer in the text's order, or that the event never happens, or the failure.

    `absent` is an explicit statement, never a guess from silence. `fractions`: the times are
    fractions of the video's length, where the parser's rule distinguishes them from seconds.
    """

    spans: SpanList = ()
    absent: bool = False
    failure: Failure | None = None
    fractions: bool = False


Parser = Callable[[str], Parse]

NUMBER = r"(?<!\d)(\d++(?:\.\d*+)?+)"  # "12", "12.", "12.5", as \d+\.?\d* reads them
DASHED = re.compile(rf"{NUMBER}\s*+-\s*+(\d++(?:\.\d*+)?+)")
SPACED_TO = re.compile(rf"{NUMBER}\s++to\s++(\d++(?:\.\d*+)?+)")
TO_OR_AND = re.compile(rf"{NUMBER} (?:to|and) (\d++(?:\.\d*+)?+)")
TWO_DIGITS = re.compile(r"(\d{2}) (?:to|and) (\d{2})")
MANY_DOTS = re.compile(r"(?<!\d)(\d++\.*+\d*+)\s*+-\s*+(\d++\.*+\d*+)")
WHOLE_NUMBER = re.compile(r"\b(\d++\.\d++|\d++)\b")
CLOCK = re.compile(r"\b(\d{1,2}:\d{2}:\d{2}(?:\.\d+)?|\d{1,2}:\d{2}(?:\.\d+)?)\b")
FULL_CLOCK = re.compile(r"\b(\d{1,2}:\d{2}:\d{2})\b")
SHORT_CLOCK = re.compile(r"\b(\d{1,2}:\d{2}(?::\d{2})?)\b")
CLOCK_RANGE = re.compile(r"\b(\d{1,2}:\d{2}(?::\d{2})?)\s*+[–-]\s*+(\d{1,2}:\d{2}(?::\d{2})?)\b")
DECIMAL_RANGE = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)\s*+[–-]\s*+(\d++(?:\.\d++)?)")
SUFFIXED_RANGE = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)\s*+s?\s*+[–-]\s*+(\d++(?:\.\d++)?)")
DECIMAL = re.compile(r"\b(\d++(?:\.\d++)?)\b")
DIGITS = re.compile(r"\d++(?:\.\d++)?")
SENTENCE_END = re.compile(r"[!?\n]")
TIME_WORD = re.compile(r"start|end|happen")
ECHOED_EXAMPLE = "a specific example is : 20.8 - 30.0 seconds"


def strict(text: str) -> Parse:
    """Parse the final answer and nothing else, by the grammar of docs/strict.md."""
    answers, cut_off = final_answers(text)
    parse = Parse()
    for answer in (part for whole in answers for part in labelled(whole)):
        parse = _strict(answer, *spans_in(answer), cut_off)
        if parse.failure is Failure.UNPARSED:
            if NEVER.search(answer):
                parse = Parse(absent=True)
            elif NO_ANSWER.search(answer):
                parse = Parse(failure=Failure.REFUSED)
        if parse.failure is not Failure.UNPARSED:
            break
    return parse


def strict_1(text: str) -> Parse:
    """Parse the final answer as strict@1 does; see docs/design/scoring.md for the rule."""
    answer, cut_off = strict_answer_1.final_answer(text)
    return _strict(answer, *strict_answer_1.spans_in(answer), cut_off)


def _strict(answer: str, spans: list[Span], failure: Failure | None, cut_off: bool) -> Parse:
    if spans:
        return Parse(tuple(spans))
    if failure is not None:
        return Parse(failure=failure)
    if ABSENCE.search(answer):
        return Parse(absent=True)
    if REFUSAL.search(answer):
        return Parse(failure=Failure.REFUSED)
    return Parse(failure=Failure.TRUNCATED if cut_off else Failure.UNPARSED)


def timelens(text: str) -> Parse:
    """Clock times paired up; else "a - b"; else "a to b"; else any numbers paired up."""
    text = text.lower()
    spans = _paired(map(_seconds, CLOCK.findall(text)))
    spans = spans or _matches(DASHED, text) or _matches(SPACED_TO, text)
    return _spans_or_unparsed(spans or _paired(map(float, WHOLE_NUMBER.findall(text))))


def to_or_and(text: str) -> Parse:
    """Every "a to b" and "a and b" with single spaces, anywhere (Time-R1, TimeZero)."""
    return _spans_or_unparsed(_matches(TO_OR_AND, text))


def two_digits(text: str) -> Parse:
    """Every "dd to dd" and "dd and dd" (VTimeLLM: hundredths of the video)."""
    return _spans_or_unparsed(_matches(TWO_DIGITS, text))


def last_two_numbers(text: str) -> Parse:
    """The last two numbers of the whole text, thoughts and all (TaRO)."""
    return _spans_or_unparsed(_paired(map(float, DIGITS.findall(text)[-2:])))


def timechat(text: str) -> Parse:
    """The first "a - b"; else the first number of each sentence that names a start or an end.

    A number with several dots, on which the official script stops, is no number here.
    """
    text = text.lower()
    dashed = MANY_DOTS.findall(text)
    if dashed:
        return _ordered(_numbers(dashed[:1]))
    sentences = [s for s in SENTENCE_END.split(text) if TIME_WORD.search(s)]
    spans = _paired(_firsts(WHOLE_NUMBER, sentences, float))
    return _ordered(spans or _paired(_firsts(FULL_CLOCK, sentences, _seconds)))


def lmms_charades(text: str) -> Parse:
    """As lmms-eval's charades_sta: "to" becomes "-" everywhere, even inside words."""
    text = text.lower().replace(ECHOED_EXAMPLE, "").replace("to", "-")
    sentences = SENTENCE_END.split(text)
    sentences = [s for s in sentences if TIME_WORD.search(s)] or sentences
    spans = _in_first(CLOCK_RANGE, sentences, _seconds) or _in_first(
        DECIMAL_RANGE, sentences, float
    )
    spans = spans or _paired(_seconds(t) for s in sentences for t in SHORT_CLOCK.findall(s))
    spans = spans or _paired(_firsts(DECIMAL, sentences, float))
    return _ordered(spans or _in_first(SUFFIXED_RANGE, sentences, float))


def cg_bench(text: str) -> Parse:
    """All intervals, as CG-Bench's own script; the empty set is a statement of absence.

    An answer that it does not save is unparsed. See `vtg_eval.parsing.clue_intervals`.
    """
    return _interval_set(cg_bench_intervals(text))


def vlmevalkit_cg_bench(text: str) -> Parse:
    """All intervals, as VLMEvalKit reads CG-Bench's; an answer that it leaves out is unparsed."""
    return _interval_set(vlmevalkit_intervals(text))


SPAN_PARSERS: Mapping[str, Parser] = {
    "strict": strict_1,
    "strict-2": strict,
    "timelens": timelens,
    "to-or-and": to_or_and,
    "two-digits": two_digits,
    "last-two-numbers": last_two_numbers,
    "timechat": timechat,
    "lmms-charades": lmms_charades,
    "cg-bench": cg_bench,
    "vlmevalkit-cg-bench": vlmevalkit_cg_bench,
}


def span_parser(name: str) -> Parser:
    """Return the parser of that name; raises UserError with the nearest name."""
    if name not in SPAN_PARSERS:
        raise UserError(f'There is no answer parser "{name}". {suggestion(name, SPAN_PARSERS)}')
    return SPAN_PARSERS[name]


def _spans_or_unparsed(spans: Iterable[Span]) -> Parse:
    in_order = tuple(spans)
    return Parse(in_order) if in_order else Parse(failure=Failure.UNPARSED)


def _interval_set(intervals: Intervals | None) -> Parse:
    if intervals is None:
        return Parse(failure=Failure.UNPARSED)
    return Parse(intervals.spans, absent=not intervals.spans, fractions=intervals.fractions)


def _ordered(spans: list[Span]) -> Parse:
    """Keep the first span only, its times in ascending order."""
    return _spans_or_unparsed(Span(min(span), max(span)) for span in spans[:1])


def _matches(pattern: re.Pattern[str], text: str) -> list[Span]:
    return _numbers(pattern.findall(text))


def _numbers(pairs: Iterable[tuple[str, str]]) -> list[Span]:
    try:
        return [Span(float(start), float(end)) for start, end in pairs]
    except ValueError:
        return []


def _in_first(
    pattern: re.Pattern[str], sentences: Iterable[str], to_seconds: Callable[[str], float]
) -> list[Span]:
    """Return the spans of the first sentence that has any."""
    for sentence in sentences:
        pairs = pattern.findall(sentence)
        if pairs:
            return [Span(to_seconds(start), to_seconds(end)) for start, end in pairs]
    return []


def _firsts(
    pattern: re.Pattern[str], sentences: Iterable[str], to_seconds: Callable[[str], float]
) -> Iterator[float]:
    """Yield the first time of each sentence that has one."""
    for sentence in sentences:
        match = pattern.search(sentence)
        if match:
            yield to_seconds(match.group(1))


def _paired(times: Iterable[float]) -> list[Span]:
    """Return consecutive times as spans; an odd last one is left out."""
    remaining = iter(times)
    return [Span(start, end) for start, end in zip(remaining, remaining, strict=False)]


def _seconds(clock: str) -> float:
    """Return the seconds of "h:mm:ss.f" or "mm:ss.f"."""
    *larger, seconds = clock.split(":")
    total = 0
    for part in larger:
        total = total * 60 + int(part)
    return total * 60 + float(seconds)
