"""Ranks. Figures that are not separable share ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .published import UNSPECIFIED, Benchmark, Number

Z = 1.959963984540054  # 95 % of a normal distribution is within Z standard deviations


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in percent; `half` is half the width of its 95 % interval, in points."""

    value: float
    half: float


@dataclass(frozen=True, slots=True)
class RankRange:
    """The `first` to the `last` possible rank of a figure among `of` figures, itself included."""

    first: int
    last: int
    of: int

    def __str__(self) -> str:
        ranks = f"{self.first}" if self.first == self.last else f"{self.first}–{self.last}"
        return f"{ranks} of {self.of}"


@dataclass(frozen=True, slots=True)
class Key:
    """What must be equal in two comparable figures of a benchmark.

    A value that a source does not state is "unspecified".
    """

    split: str
    condition: str
    metric: str
    setting: str

    @property
    def unspecified(self) -> tuple[str, ...]:
        """Return the names of the unspecified values."""
        parts = {"split": self.split, "condition": self.condition, "setting": self.setting}
        return tuple(name for name, value in parts.items() if value == UNSPECIFIED)

    def admits(self, other: Key) -> bool:
        """Tell whether the other figure belongs in the ranking of this one.

        A value unspecified here accepts any value (the ranking must then say so); a value
        specified here and unspecified in the other excludes the other.
        """
        pairs = zip(
            (self.split, self.condition, self.setting),
            (other.split, other.condition, other.setting),
            strict=True,
        )
        return self.metric == other.metric and all(a in (b, UNSPECIFIED) for a, b in pairs)


def number_key(number: Number) -> Key:
    """Return the comparison key of a published number."""
    return Key(number.split, number.condition, number.metric, number.setting)


def published_figure(number: Number, benchmark: Benchmark) -> Figure:
    """Return a published number with the uncertainty from the benchmark's number of samples."""
    samples = benchmark.samples(number.split, number.metric)
    return Figure(number.value, half_width(number.value, samples) if samples else 0.0)


def half_width(percent: float, samples: int) -> float:
    """Return half the width of Wilson's 95 % interval of a proportion of `samples`, in points.

    For a mean of values from 0 to 1 (mIoU) it is an upper bound, as no such value has a larger
    variance than a proportion with the same mean (Bhatia and Davis 2000).
    """
    p, n = percent / 100, samples
    deviation = math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return 100 * Z / (1 + Z**2 / n) * deviation


def separable(a: Figure, b: Figure) -> bool:
    """Tell whether two figures differ by more than their combined 95 % half-widths."""
    return abs(a.value - b.value) > math.hypot(a.half, b.half)


def rank_range(figure: Figure, others: Sequence[Figure]) -> RankRange:
    """Return the ranks that a figure shares with all others from which it is not separable."""
    separate = [other for other in others if separable(figure, other)]
    better = sum(other.value > figure.value for other in separate)
    return RankRange(1 + better, 1 + len(others) - (len(separate) - better), 1 + len(others))
