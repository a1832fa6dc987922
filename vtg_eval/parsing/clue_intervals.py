"""The intervals that an answer in CG-Bench's form gives, by the two scripts that score it.

Both read the fenced {"result": [[start, end], …]} and, where that fails, pair up all numbers of
the answer; they differ in what fails. CG-Bench/CG-Bench at f8266087, run/utils.py, and
open-compass/VLMEvalKit at e8e78f05, vlmeval/dataset/utils/cgbench.py: post_process for miou.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any, NamedTuple

from vtg_eval.parsing.fenced_json import fenced_json
from vtg_eval.types import Span

SIGNED_NUMBER = re.compile(r"-?\d++(?:\.\d*+)?+")
# what the scripts' arithmetic raises on JSON of another shape; they catch all of it
WRONG_SHAPE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class Intervals(NamedTuple):
    """What was read: spans in the answer's order, in seconds or as fractions of the video."""

    spans: tuple[Span, ...]
    fractions: bool = False


def cg_bench_intervals(text: str) -> Intervals | None:
    """Return the intervals as CG-Bench's own script reads them, None where it saves nothing.

    No number at all is the empty set, and so is any empty or false result; an odd count of
    numbers is nothing. Paired numbers that overlap or touch stop the script: nothing, too.
    """
    if not text:
        return None
    try:
        return Intervals(_spans(_result(text)))
    except WRONG_SHAPE:
        numbers = _numbers(text)
    pairs = _paired(numbers)
    in_order = sorted(pairs, key=lambda pair: pair.start)
    if len(numbers) % 2 or any(later.start <= one.end for one, later in pairwise(in_order)):
        return None
    return Intervals(pairs)


def vlmevalkit_intervals(text: str) -> Intervals | None:
    """Return the intervals as VLMEvalKit reads them, None where it leaves the question out.

    A single [start, end] will do. A result whose times are all at most 1 is in fractions of the
    video. An odd last number is dropped; fewer than two, or a result that is no list: nothing.
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
        fractions = all(one[0] <= 1 and one[1] <= 1 for one in result)
        if fractions:  # a third entry is lost when they are multiplied
            result = [one[:2] for one in result]
        return Intervals(_spans(result), fractions)
    except WRONG_SHAPE:
        return _any_pairs(text)


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
    """Return the spans of a JSON value, whatever it is; raises one of WRONG_SHAPE.

    The union is taken to see what the scripts would stop on: an interval that goes up in an
    earlier one may have more entries than two, for they never unpack it.
    """
    if not result:
        return ()
    if not isinstance(result, list):
        raise TypeError
    kept: list[Any] = []
    for interval in sorted(result, key=lambda one: one[0]):
        if kept and interval[0] <= kept[-1][1]:
            start, end, *more = kept[-1]
            kept[-1] = [start, max(end, interval[1]), *more]
        else:
            kept.append(interval)
    for start, end in kept:
        float(end - start)
    return tuple(Span(float(one[0]), float(one[1])) for one in result)
