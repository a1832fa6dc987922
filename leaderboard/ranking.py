"""Ranks: shared where the difference between two figures is not separable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .published import UNSPECIFIED, Benchmark, Number

Z = 1.959963984540054  # 95 % of a normal distribution lie within


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in percent; `half` is half the width of its 95 % interval, in points."""

    value: float
    half: float


@dataclass(frozen=True, slots=True)
class RankRange:
    """From the `first` to the `last` rank that a figure may have among `of`, itself included."""

    first: int
    last: int
    of: int

    def __str__(self) -> str:
        ranks = f"{self.first}" if self.first == self.last else f"{self.first}–{self.last}"
        return f"{ranks} of {self.of}"


@dataclass(frozen=True, slots=True)
class Key:
    """What must be equal before two figures of a benchmark are comparable.

    "unspecified" is what a source does not say.
    """

    split: str
    condition: str
    metric: str
    setting: str

    @property
    def unsaid(self) -> tuple[str, ...]:
        """Return the names of what is not said."""
        parts = {"split": self.split, "condition": self.condition, "setting": self.setting}
        return tuple(name for name, value in parts.items() if value == UNSPECIFIED)

    def admits(self, other: Key) -> bool:
        """Tell whether a figure may stand in the ranking of this one.

        What this one does not say does not narrow its ranking (which must then say so); what
        the other one does not say keeps it out.
        """
        pairs = zip(
            (self.split, self.condition, self.setting),
            (other.split, other.condition, other.setting),
            strict=True,
        )
        return self.metric == other.metric and all(a in (b, UNSPECIFIED) for a, b in pairs)


def number_key(number: Number) -> Key:
    """Return what a published number can be compared with."""
    return Key(number.split, number.condition, number.metric, number.setting)


def published_figure(number: Number, benchmark: Benchmark) -> Figure:
    """Return a published number with the uncertainty that the benchmark's size leaves it."""
    samples = benchmark.samples(number.split, number.metric)
    return Figure(number.value, half_width(number.value, samples) if samples else 0.0)


def half_width(percent: float, samples: int) -> float:
    """Return half the width of Wilson's 95 % interval of a share of `samples`, in points.

    For a mean of values from 0 to 1 (mIoU) it is a bound: none varies more than a share does
    (Bhatia and Davis 2000).
    """
    p, n = percent / 100, samples
    spread = math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return 100 * Z / (1 + Z**2 / n) * spread


def separable(a: Figure, b: Figure) -> bool:
    """Tell whether two figures differ by more than both intervals together leave open."""
    return abs(a.value - b.value) > math.hypot(a.half, b.half)


def place(own: Figure, others: Sequence[Figure]) -> RankRange:
    """Return the ranks that a figure shares with all from which it is not separable."""
    apart = [other for other in others if separable(own, other)]
    better = sum(other.value > own.value for other in apart)
    return RankRange(1 + better, 1 + len(others) - (len(apart) - better), 1 + len(others))
