"""Answers by the ten thousand: what is right is read, and nothing else."""

import math
import time
from random import Random

import pytest

from tests.robustness.answer_forms import FORMS, OPTIONS, Form, mutated
from vtg_eval.parsing.spans import Parse, strict
from vtg_eval.parsing.strict_choice import strict as strict_choice

CASES = FORMS
STRINGS = 20_000
BY_FORM = 15_000 // len(FORMS)
SLOWEST = 0.25  # seconds for one answer of a few hundred characters
UNREAD = ("unparsed", "ambiguous", "refused", "truncated")


def reading(form: Form, text: str) -> tuple[float, ...] | str | None:
    """Return the first span or the letter that is read in an answer; None where there is none."""
    if form.asks_letter:
        choice = strict_choice(text, OPTIONS)
        assert bool(choice.letters) != (choice.failure in UNREAD)
        return choice.letters[0] if choice.letters else None
    parse = strict(text)
    assert bool(parse.spans) != (parse.failure in UNREAD)
    return parse.spans[0][:2] if parse.spans else None


@pytest.mark.parametrize("form", CASES, ids=lambda form: form.name)
def test_an_answer_is_read_as_what_it_says(form):
    draw = Random(form.name)
    for _ in range(BY_FORM):
        answer = form.make(draw)
        assert reading(form, answer.text) == answer.right, answer.text


def test_no_mutated_answer_stops_a_parser_or_gives_what_is_not_finite():
    draw = Random(13)
    for _ in range(STRINGS - BY_FORM * len(FORMS)):
        text, options = mutated(draw)
        start = time.process_time()
        parse, choice = strict(text), strict_choice(text, options)
        assert time.process_time() - start < SLOWEST, text
        assert_sound(parse)
        assert (strict(text), strict_choice(text, options)) == (parse, choice)
        assert bool(choice.letters) != (choice.failure is not None)


def assert_sound(parse: Parse) -> None:
    assert bool(parse.spans) + parse.absent + (parse.failure is not None) == 1
    assert all(math.isfinite(value) for span in parse.spans for value in span)
