"""The table that every metric family returns: per-sample values and the figures from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from vtg_eval.failures import Failure
from vtg_eval.metrics.iou import Floats
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.task import Card
from vtg_eval.types import Sample

Mask = npt.NDArray[np.bool_]
Arithmetic = Literal["sum*100/n", "sum/n*100", "mean*100"]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's part of each sample. values: float64 [N], 0 to 1 (NaN only where a protocol's
    source has it). counted: bool [N], whether the sample is in the metric's denominator.

    arithmetic: the order of operations in the mean. decimals: how the percentage is rounded (-1:
    not at all), as `f"{value:.2f}"` writes it for 2. addition: the order in which the counted
    values are added up, as indices among them (None: as they are).
    """

    values: Floats
    counted: Mask
    arithmetic: Arithmetic = "sum*100/n"
    decimals: int = -1
    addition: tuple[int, ...] | None = None

    def of(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> Column:
        """Return the column of some samples only, its figure unrounded."""
        return Column(self.values[rows], self.counted[rows], self.arithmetic)

    def parts(self) -> list[float | None]:
        """Return each sample's part; None where it does not count, and where it is not finite."""
        kept = self.counted & np.isfinite(self.values)
        return [
            part if keep else None
            for part, keep in zip(self.values.tolist(), kept.tolist(), strict=True)
        ]

    def percent(self) -> float:
        """Return the mean over the counted samples in percent; NaN where none counts."""
        values = self.values[self.counted]
        if not len(values):
            return math.nan
        if self.addition is not None:
            values = values[list(self.addition)]
        return rounded(_mean_percent(values, self.arithmetic), self.decimals)


@dataclass(frozen=True, slots=True)
class Derived:
    """A metric that follows from the figures of others.

    rule: "mean", their plain mean; "least ratio", the smaller of the two over the second
    (CG-Bench's recovery rate). decimals: as in `Column`.
    """

    of: tuple[str, ...]
    rule: Literal["mean", "least ratio"] = "mean"
    decimals: int = -1

    def figure(self, figures: Mapping[str, float]) -> float:
        """Return the metric in percent, from others in percent; NaN where one of them is."""
        parts = [figures[name] for name in self.of]
        if self.rule == "mean":
            return rounded(float(total(np.array(parts))) / len(parts), self.decimals)
        first, second = parts
        return rounded(min(first, second) / second * 100, self.decimals) if second else 0.0

    def figures(self, means: Mapping[str, Floats]) -> Floats:
        """Return the metric for each of many resamples, [R], in percent."""
        parts = np.stack([means[name] for name in self.of])
        if self.rule == "mean":
            return np.asarray(total(parts) / len(parts))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.minimum(parts[0], parts[1]) / parts[1] * 100
        return np.where(parts[1] == 0, 0.0, ratio)

    def at_ends(self, ends: Mapping[str, tuple[float, float]]) -> Floats:
        """Return the metric at the ends of its parts' intervals, [4], all in percent.

        Of the first part and the others: both low, both high, high and low, low and high. Both
        rules are least and greatest at one of these.
        """
        first, *others = self.of
        means = {name: np.array(ends[name])[[0, 1, 0, 1]] for name in others}
        return self.figures({first: np.array(ends[first])[[0, 1, 1, 0]], **means})


@dataclass(frozen=True, slots=True)
class Table:
    """All metrics of a score.

    primary: the main metric, a column. order: the names of all metrics in
    the order of the report (empty: columns, then derived). headline: those for the narrow table
    (empty: all).
    """

    columns: Mapping[str, Column]
    primary: str
    derived: Mapping[str, Derived] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All metrics in the order of the report."""
        return self.order or (*self.columns, *self.derived)

    @property
    def narrow(self) -> tuple[str, ...]:
        """The metrics of the narrow table."""
        return self.headline or self.names

    def metrics(self) -> dict[str, float]:
        """Return each metric in percent, in the order of the report; NaN where no sample counts."""
        figures = {name: column.percent() for name, column in self.columns.items()}
        for name, derived in self.derived.items():
            figures[name] = derived.figure(figures)
        return {name: figures[name] for name in self.names}


Family = Callable[[Card, Sequence[Sample], Sequence[ParsedAnswer], ResolvedProtocol], Table]
"""A metric family: from samples and their parsed answers, in the same order, to a table."""


def in_denominator(parsed_answers: Sequence[ParsedAnswer], rule: ScoreRule) -> Mask:
    """Return which samples count, bool [N], by the rule for missing and unparsed answers."""
    counted = np.ones(len(parsed_answers), dtype=np.bool_)
    if rule.missing == rule.unparsed == "zero":
        return counted
    for row, parsed in enumerate(parsed_answers):
        if rule.missing == "drop" and not parsed.answered:
            counted[row] = False
        if rule.unparsed == "drop" and Failure.UNPARSED in parsed.kinds:
            counted[row] = False
    return counted


def counted_in(name: str, columns: Mapping[str, Mask], derived: Mapping[str, Derived]) -> Mask:
    """Return which samples count in a metric, derived or not, bool [N].

    columns: which samples count in each metric that is a mean over samples.
    """
    parts = derived[name].of if name in derived else (name,)
    return np.asarray(np.any([columns[part] for part in parts], axis=0))


def counted_parts(names: Iterable[str], columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Return the metrics in which a sample counts, all of them where there is none."""
    names = tuple(names)
    return tuple(name for name in names if columns[name].counted.any()) or names


def rounded(value: float, decimals: int) -> float:
    """Return the value as `f"{value:.2f}"` writes it (for 2 decimals); -1: as it is."""
    return value if decimals < 0 else float(f"{value:.{decimals}f}")


def total(values: Floats) -> Floats:
    """Return the sum over the first axis, added plainly in its order."""
    summed: Floats = np.add.accumulate(values)[-1]
    return summed


def _mean_percent(values: Floats, arithmetic: Arithmetic) -> float:
    match arithmetic:
        case "sum*100/n":
            return float(total(values)) * 100 / len(values)
        case "sum/n*100":
            return float(total(values)) / len(values) * 100
        case "mean*100":
            return float(np.mean(values)) * 100
