"""docs/strict.md: each example of the page is read as the page says."""

import re
from pathlib import Path

import pytest

from tests.robustness.answer_forms import OPTIONS
from vtg_eval.parsing.spans import strict
from vtg_eval.parsing.strict_choice import strict as strict_choice

PAGE = Path(__file__).parents[2] / "docs" / "strict.md"
WORDS = {"unparsed": "nothing", "truncated": "cut off", "ambiguous": "several"}


def examples(kind: str) -> list[tuple[str, str]]:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(rf"(?ms)^```{kind}\n(.*?)^```", page)
    lines = [line.rpartition(" :: ") for block in blocks for line in block.splitlines()]
    return [(text.replace("⏎", "\n"), reading) for text, _, reading in lines]


@pytest.mark.parametrize(("text", "reading"), examples("spans"))
def test_a_span_is_read_as_the_page_says(text, reading):
    parse = strict(text)
    spans = ", ".join(f"{span.start:g} - {span.end:g}" for span in parse.spans)
    failure = parse.failure or ""
    assert (spans or ("never" if parse.absent else WORDS.get(failure, failure))) == reading


@pytest.mark.parametrize(("text", "reading"), examples("options"))
def test_an_option_is_read_as_the_page_says(text, reading):
    choice = strict_choice(text, OPTIONS)
    failure = choice.failure or ""
    assert ("".join(choice.letters) or WORDS.get(failure, failure)) == reading


def test_the_page_has_examples_of_every_kind():
    assert len(examples("spans")) > 100
    assert len(examples("options")) > 25
