"""A sample's text in a prompt, without any special token in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vtg_eval.model_input.special_tokens import EscapedText, SpecialTokens

# Only so many times the longest token's characters beside a text can make a token with it:
# some characters do not count in a comparison (marks, for example).
REACH = 4
Write = Callable[[Callable[[str], str]], str]


class Place(NamedTuple):
    """What stands before and after the text that is put into a prompt."""

    before: str
    after: str


def safe_text(write: Write, place: Place, tokens: SpecialTokens) -> EscapedText:
    """Return a text in which no part from the sample is, or is part of, a special token.

    write: returns the text, each part from the sample passed through its argument. Tokens within
    such a part are escaped. Where a part and what stands beside it make a token together, the parts
    get separators at both ends. Raises ValueError where that does not help.
    """
    escaped = 0
    reach = REACH * tokens.longest
    before, after = place.before[-reach:], place.after[:reach]

    def clean(part: str) -> str:
        nonlocal escaped
        result = tokens.escape(part)
        escaped += result.escaped
        return result.text

    def enclosed(part: str) -> str:
        return part and f"{tokens.separator}{tokens.escape(part).text}{tokens.separator}"

    def tokens_with(text: str) -> int:
        return tokens.count(f"{before}{text}{after}")

    text = write(clean)
    expected = tokens_with(write(lambda part: part and tokens.separator))
    if tokens_with(text) != expected:
        text, escaped = write(enclosed), escaped + 1
    if tokens_with(text) != expected:
        raise ValueError("the sample's text makes a special token with the prompt around it")
    return EscapedText(text, escaped)
