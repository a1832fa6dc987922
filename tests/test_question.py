from __future__ import annotations

import pytest

from vtg_eval.protocol import PromptRule
from vtg_eval.question import question, written


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("as-is", " A man  opens\nthe Door. "),
        ("sentence", "A man opens the Door"),
        ("lower-sentence", "a man opens the door"),
    ],
)
def test_the_query_is_written_as_the_rule_says(rule: str, expected: str) -> None:
    prompt = PromptRule(text="{query}", query=rule)  # type: ignore[arg-type]
    assert written(" A man  opens\nthe Door. ", prompt) == expected


def test_braces_in_a_query_are_plain_text() -> None:
    rule = PromptRule(text="When: {query} {else}")
    assert question("{0} {query.text}", rule) == "When: {0} {query.text} {else}"
