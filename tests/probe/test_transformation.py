"""Transformations as text, and the maps of times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import UserError
from vtg_eval.probe.transformation import STANDARD, TimeMap, Transformation, transformation
from vtg_eval.types import Span


@pytest.mark.parametrize("text", [*STANDARD, "prepend:10s", "append:2.5s", "trim:90%", "speed:1.5"])
def test_a_name_is_read_as_it_is_written(text: str) -> None:
    change = transformation(text, seed=3)
    assert change.name == text
    assert change.seed == 3


def test_a_name_is_a_part_of_a_folders_name() -> None:
    names = [transformation(text).file_name for text in (*STANDARD, "prepend:50s")]
    assert names[:4] == ["prepend-50", "append-50", "trim-25", "speed-0.5"]
    assert len(set(names)) == len(names)


def test_an_amount_has_a_default() -> None:
    assert transformation("prepend") == Transformation("prepend", 50.0, "%")
    assert transformation("speed") == Transformation("speed", 2.0)
    assert transformation("reverse") == Transformation("reverse")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("revers", 'There is no transformation "revers". Did you mean "reverse"?'),
        ("", "There is no transformation"),
        ("reverse:2", '"reverse" has no amount'),
        ("swap:", '"swap" has no amount'),
        ("speed:2s", 'Write "speed:2" or "speed:0.5"'),
        ("speed:1", "a factor from 0.1 to 10 other than 1"),
        ("speed:0", "a factor from 0.1 to 10"),
        ("speed:1e3", "a factor"),
        ("prepend:10", 'Write "prepend:10s" or "prepend:25%", above 0.'),
        ("prepend:0s", "above 0"),
        ("prepend:-5s", "above 0"),
        ("prepend:nan%", "above 0"),
        ("trim:95%", "at most 90%"),
    ],
)
def test_a_mistake_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        transformation(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "duration", "seconds"),
    [("prepend:50%", 30.0, 15.0), ("prepend:50%", 31.0, 16.0), ("trim:25%", 1.0, 1.0)],
)
def test_percentages_are_whole_seconds(text: str, duration: float, seconds: float) -> None:
    assert transformation(text).seconds(duration) == seconds


def test_seconds_are_as_given() -> None:
    assert transformation("prepend:2.5s").seconds(30.0) == 2.5


KEPT = Span(2.0, 10.0)


@pytest.mark.parametrize(
    ("time_map", "span", "expected"),
    [
        (TimeMap(1.0, 5.0, KEPT), Span(3, 4), Span(8, 9)),
        (TimeMap(1.0, -2.0, KEPT), Span(0, 4), Span(0, 2)),
        (TimeMap(1.0, -2.0, KEPT), Span(9, 99), Span(7, 8)),
        (TimeMap(0.5, 0.0, KEPT), Span(4, 6), Span(2, 3)),
        (TimeMap(-1.0, 12.0, KEPT), Span(3, 4), Span(8, 9)),
        (TimeMap(1.0, 0.0, KEPT), Span(5, 5), Span(5, 5)),
        (TimeMap(1.0, 0.0, KEPT), Span(0, 1), None),
        (TimeMap(1.0, 0.0, KEPT), Span(0, 2), None),
        (TimeMap(1.0, 0.0, KEPT), Span(11, 12), None),
        (TimeMap(1.0, 0.0, KEPT), Span(6, 5), None),
        (TimeMap(1.0, 0.0, KEPT), Span(math.nan, 5), None),
        (TimeMap(1.0, 0.0, KEPT), Span(5, math.nan), None),
    ],
)
def test_a_span_goes_where_its_kept_part_is(
    time_map: TimeMap, span: Span, expected: Span | None
) -> None:
    assert time_map.span(span) == expected


@given(st.floats(2, 10), st.floats(2, 10), st.sampled_from([-1.0, 0.5, 2.0]), st.floats(-50, 50))
def test_a_moved_span_keeps_its_order_and_its_length_by_the_scale(
    one: float, other: float, scale: float, shift: float
) -> None:
    span = Span(min(one, other), max(one, other))
    moved = TimeMap(scale, shift, KEPT).span(span)
    assert moved is not None
    assert moved.end - moved.start == pytest.approx(abs(scale) * (span.end - span.start), abs=1e-9)
