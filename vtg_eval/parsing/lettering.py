"""The rule that many scripts share: set phrases go, and the first letter that is left counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vtg_eval.parsing.chosen import Choice, ChoiceParser, named


def first_letter(letters: str, phrases: Sequence[str]) -> ChoiceParser:
    """Return a parser: without the phrases, the first of these capitals, even inside a word.

    The phrases go one after the other, wherever they stand. (The scripts' further test of long
    answers without such a letter changes nothing: they have none to give.)
    """
    wanted = re.compile(f"[{letters}]")

    def parse(text: str, options: tuple[str, ...]) -> Choice:
        text = text.strip()
        for phrase in phrases:
            text = text.replace(phrase, "")
        match = wanted.search(text)
        return named(match[0] if match else "")

    return parse
