"""What an answer to a question with options says: the letters that it names, or why none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vtg_eval.failures import Failure


@dataclass(frozen=True, slots=True)
class Choice:
    """Which options an answer names (letters, in the answer's order; usually one), or why none.

    An answer is right if the target's letter is among them. A parser that follows an official
    script may give what is no option's letter, as the script does: that is an answer, and wrong.
    """

    letters: tuple[str, ...] = ()
    failure: Failure | None = None


ChoiceParser = Callable[[str, tuple[str, ...]], Choice]  # (text, the options' texts from A on)

UNPARSED = Choice(failure=Failure.UNPARSED)


def lettered(options: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each option with its letter: [("A", "a dog"), ("B", "a cat")]."""
    return [(chr(ord("A") + k), option) for k, option in enumerate(options)]


def named(letters: tuple[str, ...] | list[str] | str) -> Choice:
    """Return the choice of these letters; of none: unparsed."""
    return Choice(tuple(letters)) if letters else UNPARSED
