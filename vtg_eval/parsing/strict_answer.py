"""The strict span parser, second version: the grammar of docs/strict.md, nothing guessed.

An answer becomes numbers, each with its unit and what stands before and after it. Two numbers are
a span where a connector, a bracket, or a named start and end joins them; a number in another unit
than seconds, a count or an ordinal is no time. Time is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from math import isfinite

from vtg_eval.failures import Failure
from vtg_eval.parsing.answer_numbers import Number, Reader
from vtg_eval.parsing.vocabulary import WORDS, Kind
from vtg_eval.types import Span

MAX_SPANS = 1000
# what is usual by far, read without the grammar: "from 12.5 to 20.3 seconds."
PLAIN = re.compile(
    r"""\s*+(?:(?:(?:the|given|query|event|moment|it|happens|occurs|is)\s++)*+(?:in|from|between)\s++)?+
        ([0-9]++(?:\.[0-9]++)?+)\s*+(?:seconds?|s)?+\s*+(?:[-–]|to|and)
        \s*+([0-9]++(?:\.[0-9]++)?+)\s*+(?:seconds?|s)?+\s*+\.?\s*+""",
    re.VERBOSE | re.IGNORECASE,
)
DIGIT = re.compile("[0-9]")
TIGHT_LIST = re.compile(
    r"([\[(]\s*+-?[0-9]++(?:\.[0-9]++)?+),(?=-?[0-9]++(?:\.[0-9]++)?+\s*+[\])])"
)
OF_THE_VIDEO = re.compile(
    r"\s*+of\s(?:the\s|its\s|total\s|whole\s|entire\s)*+(?:video|clip|duration|length|total|film)",
    re.IGNORECASE,
)


def spans_in(answer: str) -> tuple[list[Span], Failure | None]:
    """Return the finite spans in the answer's order, or a failure if the first is not finite."""
    plain = PLAIN.fullmatch(answer)
    if plain is not None:
        span = Span(float(plain[1]), float(plain[2]))
        return ([span], None) if all(map(isfinite, span)) else ([], Failure.NON_FINITE)
    if DIGIT.search(answer) is None:
        return [], None
    if "|" in answer:
        answer = _without_tables(answer)
    if "," in answer:  # "[12,345]" is a list of two, not twelve thousand
        answer = TIGHT_LIST.sub(r"\1, ", answer)
    numbers = _times(Reader(answer).read())
    spans = list(islice(_spans(answer, numbers), MAX_SPANS))
    finite = [span for span in spans if isfinite(span.start) and isfinite(span.end)]
    if spans and (not finite or finite[0] is not spans[0]):
        return [], Failure.NON_FINITE
    return finite, None


def _times(numbers: list[Number]) -> list[Number]:
    """Return the numbers without ordinals, scores, lengths and counts."""
    kept: list[Number] = []
    labels, cut = "", False
    in_list = ""
    for index, number in enumerate(numbers):
        if in_list and (
            (number.link in ("to", "dash") and not _continues(numbers, index + 1))
            or (number.link == "comma" and in_list == "[")
        ):
            number.key = "k"
        if number.key == "k" and number.clock:
            number.key = ""  # "for 00:05 - 00:10": a clock shows no length
        drop = number.key == "k" or (number.key == "e" and number.bare)
        in_list = ""
        if number.key == "k":
            in_list = "[" if number.opened or (number.link == "comma") else "k"
            in_list = "k" if number.closed else in_list
        if drop:
            labels, cut = labels + number.labels, True
            continue
        if cut:
            number.labels, number.link = labels + number.labels, ""
            labels, cut = "", False
        kept.append(number)
    return kept


def _continues(numbers: Sequence[Number], index: int) -> bool:
    return index < len(numbers) and numbers[index].link in ("to", "dash")


def _spans(answer: str, numbers: list[Number]) -> Iterator[Span]:
    """Yield the span of each pair of times; a number belongs to one pair only."""
    group: list[tuple[Number, Number]] = []
    for pair in _pairs(numbers):
        first = pair[0]
        if group and not first.joined:
            yield from _in_seconds(answer, group)
            group = []
        group.append(pair)
    yield from _in_seconds(answer, group)


def _in_seconds(answer: str, group: list[tuple[Number, Number]]) -> Iterator[Span]:
    """Yield the spans of pairs in one list, which share a unit that one of them has."""
    foreign = [_unit_of(pair) == "x" for pair in group]
    for index, (first, second) in enumerate(group):
        if foreign[index] or first.value is None or second.value is None:
            continue
        if not _unit_of((first, second)) and not (first.clock and second.clock):
            later = index + 1
            if any(foreign[:index]) or (
                any(foreign[later:]) and not (later < len(group) and group[later][0].aside)
            ):
                continue
            counted = second.follower in (Kind.WORD, Kind.NUMBERED)
            if counted and first.whole and second.whole:
                continue
            fraction = max(first.value, second.value) <= 1
            if fraction and OF_THE_VIDEO.match(answer, second.end):
                continue
        if not _is_length(second) and not _is_unsure(first, second):
            yield Span(first.value, second.value)


def _is_length(second: Number) -> bool:
    """Tell whether a length or a score ends here: "2-3 seconds long", "a 2-3 second clip"."""
    named = (Kind.WORD, Kind.NUMBERED)
    return second.follower is Kind.LENGTH or (second.single and second.follower in named)


def _is_unsure(first: Number, second: Number) -> bool:
    """Tell whether there are two readings: "1:05 - 10", "the 5th to the 10th"."""
    if first.clock != second.clock and (first.bare or second.bare):
        return True
    return (first.ordinal or second.ordinal) and "s" not in (first.unit, second.unit)


def _unit_of(pair: tuple[Number, Number]) -> str:
    units = {number.unit for number in pair}
    return "x" if "x" in units else "s" if "s" in units else ""


def _pairs(numbers: list[Number]) -> Iterator[tuple[Number, Number]]:
    """Yield the numbers that are joined as a start and an end."""
    index = 0
    while index < len(numbers):
        stop = index + 1
        while stop < len(numbers) and numbers[stop].link in ("to", "dash", "and"):
            stop += 1
        if stop - index > 1:
            yield from _chain(numbers[index:stop])
            index = stop
        elif stop < len(numbers) and (pair := _named(numbers, index)):
            yield pair
            index += 2
        else:
            index += 1


def _chain(chain: list[Number]) -> Iterator[tuple[Number, Number]]:
    """Yield the pairs of numbers that connectors join: "to" binds closer than "and".

    Three in a row ("5 - 10 - 15") are no span, unless the first only numbers the item.
    """
    if all(number.link == "and" for number in chain[1:]):
        if len(chain) == 2:
            yield chain[0], chain[1]
        return
    part = [chain[0]]
    for number in [*chain[1:], None]:
        if number is not None and number.link != "and":
            part.append(number)
            continue
        if len(part) == 3 and _numbers_an_item(*part):
            part = part[1:]
        if len(part) == 2:
            yield part[0], part[1]
        if number is not None:
            part = [number]


def _numbers_an_item(number: Number, first: Number, second: Number) -> bool:
    """Tell whether the first of three numbers in a row is the number of a list's item."""
    item = number.bare and (number.line_start or number.key == "m")
    item = item or (number.whole and number.value is None)  # "Q2 - 5.0 to 10.0"
    return item and first.link == "dash" and (second.unit == "s" or not (first.bare or second.bare))


def _named(numbers: list[Number], index: int) -> tuple[Number, Number] | None:
    """Return the pair that begins here by brackets or by names; None without one."""
    first, second = numbers[index], numbers[index + 1]
    if second.link == "comma" and first.opened and second.closed and not first.closed:
        return (first, second) if second.semicolon or not (first.comma or second.comma) else None
    if "S" in first.labels and (second.labels.endswith("E") or second.ends):
        return first, second
    if first.labels.endswith("SE") and not second.labels and second.link == "comma":
        return first, second
    after = numbers[index + 2].labels if index + 2 < len(numbers) else ""
    if first.labels == "E" and second.labels == "S" and second.plain and not after.endswith("E"):
        return second, first
    return None


def _without_tables(text: str) -> str:
    """Return the text with each row of a table as "start: a; end: b", by the table's head."""
    lines: list[str] = []
    head: list[str] = []
    columns: tuple[int, int] | None = None
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or not (line.lstrip().startswith("|") or " | " in line):
            columns = None
            lines.append(line)
        elif columns is None:
            head, columns = cells, _columns(cells)
            lines.append("" if columns else line)
        elif len(cells) > max(columns):
            lines.append("; ".join(f"{head[c]}: {cells[c]}" for c in columns) + ";")
        else:
            lines.append(line)
    return "\n".join(lines)


def _columns(cells: list[str]) -> tuple[int, int] | None:
    """Return the columns of starts and ends, where a row names one of each."""
    kinds = [{WORDS.get(word) for word in re.findall(r"[a-z]+", c.lower())} for c in cells]
    starts = [index for index, kind in enumerate(kinds) if Kind.START in kind]
    ends = [index for index, kind in enumerate(kinds) if Kind.END in kind]
    return (starts[0], ends[0]) if len(starts) == len(ends) == 1 and starts != ends else None
