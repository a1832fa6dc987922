"""Transformations of a video or its query, as data, and the time maps that belong to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vtg_eval.errors import UserError, suggestion
from vtg_eval.types import Span

Kind = Literal["prepend", "append", "trim", "speed", "reverse", "swap", "absent"]
Unit = Literal["s", "%", ""]
UNITS: Mapping[str, Unit] = {"s": "s", "%": "%", "": ""}
# Where no amount is given; kinds without one have None.
DEFAULT_AMOUNTS: Mapping[Kind, str | None] = {
    "prepend": "50%",
    "append": "50%",
    "trim": "25%",
    "speed": "2",
    "reverse": None,
    "swap": None,
    "absent": None,
}
STANDARD = (
    *("prepend:50%", "append:50%", "trim:25%", "speed:0.5", "speed:2"),
    *("reverse", "swap", "absent"),
)
AMOUNT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(s|%|)")
SLOWEST, FASTEST = 0.1, 10.0
MOST_CUT = 90  # percent


@dataclass(frozen=True, slots=True)
class Transformation:
    """One change, the same for all samples of a run.

    prepend, append: a part of another video before or after the video; trim: cut off the begin or
    the end, outside of the moment; speed: play faster by a factor; reverse: play backwards; swap:
    show another video instead; absent: ask for an event of another video.
    amount: seconds ("s") or percent of the video's duration ("%") of what is added or cut; the
    factor of speed, without a unit. seed: chooses the other video, and its query.
    """

    kind: Kind
    amount: float = 0.0
    unit: Unit = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """The text that `transformation` reads, "prepend:50%"."""
        return f"{self.kind}:{self.amount:g}{self.unit}" if self.amount else self.kind

    @property
    def file_name(self) -> str:
        """The name as a part of a folder's name, "prepend-50"; seconds have their unit."""
        return self.name.replace(":", "-").removesuffix("%")

    @property
    def moves(self) -> bool:
        """Whether the moment is still shown, at another time or place."""
        return self.kind not in ("swap", "absent")

    @property
    def refutes_only(self) -> bool:
        """Whether a blind rule follows by definition: an answer that follows proves nothing.

        The same seconds are right when something is appended, the same fractions at any speed. An
        answer that does not follow is still a fault.
        """
        return self.kind in ("append", "speed")

    def seconds(self, duration: float) -> float:
        """Return what is added to a video of that duration, or cut from it, seconds.

        A percentage is rounded to whole seconds, so that frames at whole and half seconds stay on
        their grid; at least one.
        """
        if self.unit == "s":
            return self.amount
        return float(max(round(self.amount / 100 * duration), 1))


def transformation(text: str, seed: int = 0) -> Transformation:
    """Return the transformation of a text such as "prepend:10s", "trim:25%", "speed:2", "reverse".

    Raises UserError that says what is wrong.
    """
    name, colon, amount = text.partition(":")
    kind = next((kind for kind in DEFAULT_AMOUNTS if kind == name), None)
    if kind is None:
        hint = suggestion(name, DEFAULT_AMOUNTS)
        raise UserError(f'There is no transformation "{name}". {hint}')
    default = DEFAULT_AMOUNTS[kind]
    if default is None:
        if colon:
            raise UserError(f'"{name}" has no amount: write "{name}" instead of "{text}".')
        return Transformation(kind, seed=seed)
    match = AMOUNT.fullmatch(amount if colon else default)
    if match is None or not _allowed(kind, float(match[1]), match[2]):
        raise UserError(f'The amount of "{text}" is wrong. Write {_example(kind)}.')
    return Transformation(kind, float(match[1]), UNITS[match[2]], seed)


def _allowed(kind: Kind, amount: float, unit: str) -> bool:
    if kind == "speed":
        return not unit and SLOWEST <= amount <= FASTEST and amount != 1
    return bool(unit) and amount > 0 and not (kind == "trim" and unit == "%" and amount > MOST_CUT)


def _example(kind: Kind) -> str:
    if kind == "speed":
        return f'"speed:2" or "speed:0.5", a factor from {SLOWEST:g} to {FASTEST:g} other than 1'
    limit = f", at most {MOST_CUT}%" if kind == "trim" else ""
    return f'"{kind}:10s" or "{kind}:25%", above 0{limit}'


@dataclass(frozen=True, slots=True)
class TimeMap:
    """Where the times of a video are in the transformed one: scale * time + shift.

    kept: the part (seconds) of the video that is still shown.
    """

    scale: float
    shift: float
    kept: Span

    def time(self, seconds: float) -> float:
        """Return the new time of a time within `kept`."""
        return self.scale * seconds + self.shift

    def span(self, span: Span) -> Span | None:
        """Return where a span's kept part is now; None where none of it is, and for a reversed one.

        A span of no length has no length afterwards.
        """
        start, end = max(span.start, self.kept.start), min(span.end, self.kept.end)
        is_reversed = not span.start <= span.end  # also where a time is NaN
        if is_reversed or start > end or (start == end and span.start != span.end):
            return None
        times = sorted((self.time(start), self.time(end)))
        return Span(*times)
