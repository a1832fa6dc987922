"""What a choice parser returns, and the rules that several of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vtg_eval.failures import Failure
from vtg_eval.types import option_letter


@dataclass(frozen=True, slots=True)
class Choice:
    """The letters of the options that an answer names, in its order (usually one), or why none.

    An answer is right if the target's letter is among them. A parser that follows an official
    script may return what is no option's letter, as the script does: such an answer is wrong.
    """

    letters: tuple[str, ...] = ()
    failure: Failure | None = None


ChoiceParser = Callable[[str, tuple[str, ...]], Choice]  # (text, the options' texts from A on)

UNPARSED = Choice(failure=Failure.UNPARSED)


def lettered(options: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each option with its letter: [("A", "a dog"), ("B", "a cat")]."""
    return [(option_letter(index), option) for index, option in enumerate(options)]


def named(letters: tuple[str, ...] | list[str] | str) -> Choice:
    """Return the choice of these letters; unparsed where there are none."""
    return Choice(tuple(letters)) if letters else UNPARSED


def first_letter(letters: str, phrases: Sequence[str]) -> ChoiceParser:
    """Return a parser that takes the first of these capitals, even inside a word.

    The phrases are removed first, one after the other, wherever they stand. (The scripts' further
    test of long answers without such a letter changes nothing: no letter is left to take.)
    """
    capital = re.compile(f"[{letters}]")

    def parse(text: str, options: tuple[str, ...]) -> Choice:
        text = text.strip()
        for phrase in phrases:
            text = text.replace(phrase, "")
        match = capital.search(text)
        return named(match[0] if match else "")

    return parse
