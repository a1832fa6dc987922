"""The strict span parser: the spans of the answer's final part, in seconds, nothing guessed.

Numbers are times only where the text joins two of them as a span: "a - b", "a to b",
"a and b", "[a, b]", or a start and an end by name. Percentages, frame numbers, minutes and
numbers inside words are not times in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from math import isfinite

from vtg_eval.failures import Failure
from vtg_eval.types import Span

TAG = re.compile(r"<(/?)(think|answer)>", re.IGNORECASE)
# digits and the marks that may stand inside a time; `_value` decides whether it is one
RUN = re.compile(r"[0-9][0-9.,:]*+(?:[eE][+-]?[0-9]++)?+")
THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
CLOCK = re.compile(r"[0-9]{1,3}(?::[0-5][0-9]){1,2}(?:\.[0-9]+)?")
TIGHT_LIST = re.compile(
    r"([\[(]\s*+-?[0-9]++(?:\.[0-9]++)?+),(?=-?[0-9]++(?:\.[0-9]++)?+\s*+[\])])"
)
UNIT = re.compile(  # the second group: not seconds
    r"""\s*+(?:(seconds?|secs?|s)\b\.?
      | (%|percent|minutes?\b|mins?\b|m\b|hours?\b|hrs?\b|h\b|frames?\b|ms\b|fps\b))""",
    re.IGNORECASE | re.VERBOSE,
)
COUNTED = ("frame", "step", "video", "clip", "option")  # "frame 12" is no time
COUNTED_BEFORE = re.compile(r"\b(?:frames?|steps?|video|clip|option)\s*$", re.IGNORECASE)
JOINED = re.compile(
    r"""["'\])]?\s*(?:-|–|—|−|~|→|to|and|until|till|through)\s*
        (?:(?:the|at|second|seconds|time)\s+)*["'\[(]?""",
    re.IGNORECASE | re.VERBOSE,
)
COMMA = re.compile(r"""["']?\s*,\s*["']?""")
STARTS = re.compile(r"\b(?:start|begin|from|onset)", re.IGNORECASE)
ENDS = re.compile(r"\b(?:end|finish|stop|until|offset)", re.IGNORECASE)
WINDOW = 80  # characters in which a label or a connector is looked for
MAX_SPANS = 1000
FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)}  # "１２－２０" is "12-20"

ABSENCE = re.compile(
    r"""\bnever\b
      | \bno\ such\ (?:event|moment|scene|action|activity|thing)
      | \b(?:do|does|did)(?:\ not|n['’]t)\ (?:actually\ )?
            (?:happen|occur|appear|take\ place|exist|show|contain)
      | \b(?:is|was|are|were)(?:\ not|n['’]t)\ (?:actually\ )?
            (?:visible|present|shown|seen|depicted|happening|in\ (?:the|this)\ video)
      | \bis\ absent\b
      | \bnot\ (?:present|visible|shown)\ in\ (?:the|this)\ video""",
    re.IGNORECASE | re.VERBOSE,
)
REFUSAL = re.compile(
    r"\bsorry\b|\bi (?:cannot|can['’]t|can not|am unable|am not able|won['’]t|will not)\b"
    r"|\bi['’]m (?:unable|not able)\b|\bas an ai\b",
    re.IGNORECASE,
)


def final_answer(text: str) -> tuple[str, bool]:
    """Return the part that counts, and whether the answer was cut off within its thoughts.

    Thoughts (<think>…</think>, also unclosed or closed only) are dropped. After that, the last
    <answer>, closed or not, counts where there is one.
    """
    if "<" not in text:
        return _narrow(text), False
    answer, cut_off = _without_thoughts(text)
    starts = [
        tag.end() for tag in TAG.finditer(answer) if tag[2].lower() == "answer" and not tag[1]
    ]
    if starts:
        answer = answer[starts[-1] :]
        end = next((t.start() for t in TAG.finditer(answer) if t[1]), len(answer))
        answer = answer[:end]
    return _narrow(answer), cut_off


def _narrow(text: str) -> str:
    return text if text.isascii() else text.translate(FULL_WIDTH)


def _without_thoughts(text: str) -> tuple[str, bool]:
    kept: list[str] = []
    position, thinking = 0, False
    for tag in TAG.finditer(text):
        if tag[2].lower() != "think":
            continue
        if tag[1]:  # also a closing tag alone: the opening one stood in the prompt
            if not thinking:
                kept.clear()
            thinking, position = False, tag.end()
        elif not thinking:
            kept.append(text[position : tag.start()])
            thinking = True
    if not thinking:
        kept.append(text[position:])
    return "\n".join(kept), thinking


def spans_in(answer: str) -> tuple[list[Span], Failure | None]:
    """Return the finite spans in the answer's order, or a failure if the first is not finite."""
    if "," in answer:  # "[12,345]" is a list of two, not twelve thousand
        answer = TIGHT_LIST.sub(r"\1, ", answer)
    spans = list(islice(_pairs(answer), MAX_SPANS))
    finite = [span for span in spans if isfinite(span.start) and isfinite(span.end)]
    if spans and (not finite or finite[0] is not spans[0]):
        return [], Failure.NON_FINITE
    return finite, None


def _pairs(answer: str) -> Iterator[Span]:
    """Yield each pair of times that belong together; a time belongs to one pair only."""
    first: float | None = None
    first_start = -1  # no time waits for its second
    before = ""
    position = 0
    for start, end, value in _times(answer):
        gap = answer[position:start]
        if first_start >= 0 and _belong_together(answer, before, first_start, gap, end):
            if first is not None and value is not None:
                yield Span(first, value)
            first_start, before = -1, ""
        else:
            first, first_start, before = value, start, gap[-WINDOW:]
        position = end


def _belong_together(answer: str, before: str, start: int, gap: str, end: int) -> bool:
    """Tell whether two times, the first from `start` on, the second up to `end`, are a pair."""
    if len(gap) > WINDOW:
        return False
    if JOINED.fullmatch(gap):
        return True
    if COMMA.fullmatch(gap):
        opening = answer[max(0, start - 3) : start].rstrip("\"' ")
        if not opening.endswith(("[", "(")):
            return False
        return answer[end : end + 3].lstrip("\"' ").startswith(("]", ")"))
    return bool(STARTS.search(before) and ENDS.search(gap))


def _times(answer: str) -> Iterator[tuple[int, int, float | None]]:
    """Yield every number's start, end and value in seconds (None: not in seconds).

    The end includes a unit of seconds.
    """
    previous = -1  # the end of the number before
    counting = _may_count(answer)
    for run in RUN.finditer(answer):
        start = run.start()
        digits = run[0].rstrip(".,:")
        end = start + len(digits)
        value = _value(digits)
        preceding = answer[start - 1] if start else " "
        if preceding != " ":
            if preceding in "-−" and _is_sign(answer, previous, start - 1):
                value = None if value is None else -value
                start -= 1
            elif preceding.isalpha() or preceding == "_":
                value = None
        unit = UNIT.match(answer, end)
        if unit:
            if unit[1]:
                end = unit.end()
            else:
                value = None
        if counting and COUNTED_BEFORE.search(answer[max(0, start - 12) : start]):
            value = None
        previous = end
        yield start, end, value


def _may_count(answer: str) -> bool:
    """Tell whether a number may follow one of the counted words; rare, so the check saves time."""
    lowered = answer.lower()
    return not lowered.isascii() or any(map(lowered.__contains__, COUNTED))


def _is_sign(answer: str, previous: int, dash: int) -> bool:
    """Tell whether a dash is a minus sign; one that joins two times has a time right before it."""
    return previous < 0 or bool(answer[previous:dash].strip())


def _value(digits: str) -> float | None:
    """Return the value of digits with ".", ",", ":" and an exponent."""
    try:
        value = float(digits)
    except ValueError:
        return _marked(digits)
    return None if ".e" in digits.lower() else value


def _marked(digits: str) -> float | None:
    """Return the value of a number with thousands separators, or of a clock time in seconds."""
    if THOUSANDS.fullmatch(digits):
        return float(digits.replace(",", ""))
    if CLOCK.fullmatch(digits):
        seconds = 0.0
        for part in digits.split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    return None
