"""What a robustness case is: something broken on purpose, and what must come of it."""

from dataclasses import dataclass

RIGHT_VALUE = "right value"


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a kind. `outcome`: RIGHT_VALUE, or the name of the failure or refusal.

    A failure's name is that of the table (`cut_short`); a refusal is named by the first words of
    its message.
    """

    name: str
    outcome: str
