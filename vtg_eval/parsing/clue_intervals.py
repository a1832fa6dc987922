"""Answers in CG-Bench's form, JSON in a fence, and their intervals as its two scripts read them.

Both scripts read the fenced {"result": [[start, end], …]} and, where that fails, pair up all
numbers of the answer; they differ in what counts as a failure. CG-Bench/CG-Bench at f8266087,
run/utils.py, and open-compass/VLMEvalKit at e8e78f05, vlmeval/dataset/utils/cgbench.py:
post_process for miou.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any, NamedTuple

from vtg_eval.types import Span

OPENING, FENCE = "```json", "```"
SIGNED_NUMBER = re.compile(r"-?\d++(?:\.\d*+)?+")
# what the scripts' arithmetic raises on JSON of another shape; the scripts catch all of it
WRONG_SHAPE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class Intervals(NamedTuple):
    """An answer's spans in its order, in seconds or as fractions of the video."""

    spans: tuple[Span, ...]
    fractions: bool = False


def cg_bench_intervals(text: str) -> Intervals | None:
    """Return the intervals as CG-Bench's own script reads them, None where it saves nothing.

    No number at all is the empty set, and so is any empty or false result. None for an odd count
    of numbers, and for paired numbers that overlap or touch, on which the script stops.
    """
    if not text:
        return None
    try:
        return Intervals(_spans(_result(text)))
    except WRONG_SHAPE:
        numbers = _numbers(text)
    pairs = _paired(numbers)
    in_order = sorted(pairs, key=lambda pair: pair.start)
    if len(numbers) % 2 or any(second.start <= first.end for first, second in pairwise(in_order)):
        return None
    return Intervals(pairs)


def vlmevalkit_intervals(text: str) -> Intervals | None:
    """Return the intervals as VLMEvalKit reads them, None where it leaves the question out.

    A single [start, end] is accepted. A result whose times are all at most 1 is in fractions of the
    video. An odd last number is dropped. None for fewer than two, or a result that is no list.
    """
    try:
        result = _result(text)
    except WRONG_SHAPE:
        return _any_pairs(text)
    if not isinstance(result, list):
        return None
    try:
        if not isinstance(result[0], list):
            result = [result]
        fractions = all(interval[0] <= 1 and interval[1] <= 1 for interval in result)
        if fractions:  # a third entry is lost when they are multiplied
            result = [interval[:2] for interval in result]
        return Intervals(_spans(result), fractions)
    except WRONG_SHAPE:
        return _any_pairs(text)


def fenced_json(text: str) -> str:
    """Return the content of the first fence that is marked as JSON; "" without a closed one."""
    start = text.find(OPENING)
    if start < 0:
        return ""
    start += len(OPENING)
    end = text.find(FENCE, start)
    return "" if end < 0 else text[start:end].strip()


def _any_pairs(text: str) -> Intervals | None:
    pairs = _paired(_numbers(text))
    return Intervals(pairs) if pairs else None


def _result(text: str) -> Any:
    return json.loads(fenced_json(text))["result"]


def _numbers(text: str) -> list[float]:
    return [float(number) for number in SIGNED_NUMBER.findall(text)]


def _paired(numbers: list[float]) -> tuple[Span, ...]:
    return tuple(map(Span, numbers[::2], numbers[1::2]))


def _spans(result: Any) -> tuple[Span, ...]:
    """Return the spans of any JSON value; raises one of WRONG_SHAPE.

    The union is computed to raise where the scripts would stop. An interval that is merged into an
    earlier one may have more than two entries, because the scripts never unpack it.
    """
    if not result:
        return ()
    if not isinstance(result, list):
        raise TypeError
    merged: list[Any] = []
    for interval in sorted(result, key=lambda interval: interval[0]):
        if merged and interval[0] <= merged[-1][1]:
            start, end, *more = merged[-1]
            merged[-1] = [start, max(end, interval[1]), *more]
        else:
            merged.append(interval)
    for start, end in merged:
        float(end - start)
    return tuple(Span(float(interval[0]), float(interval[1])) for interval in result)
