"""Two runs side by side: their common samples, and each metric's pairs of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vtg_eval.comparison.scored_run import ScoredRun
from vtg_eval.errors import UserError, suggestion
from vtg_eval.metrics.iou import Floats
from vtg_eval.scoring.table import Column, Derived, Mask, counted_in, counted_parts
from vtg_eval.statistics.bootstrap import FEW_VIDEOS, Resampled, resampled_means
from vtg_eval.statistics.difference import Ends
from vtg_eval.statistics.nearly_constant import nearly_constant
from vtg_eval.types import Sample

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pair:
    """One metric of two runs on the same samples; both columns have the same denominator."""

    first: Column
    second: Column

    @property
    def counted(self) -> Mask:
        """Which samples count for both, bool [N]."""
        return self.first.counted

    @property
    def change(self) -> Floats:
        """Second minus first, float64 [N]."""
        return self.second.values - self.first.values

    def of(self, mask: Mask) -> Pair:
        """Return the pair with only the samples of the mask in its denominator."""
        counted = self.counted & mask
        return Pair(replace(self.first, counted=counted), replace(self.second, counted=counted))


@dataclass(frozen=True, slots=True)
class Pairing:
    """The common samples, sorted by id; `rows` are their rows in the first and in the second run.

    cluster: the index of each sample's video, [N]. pairs: the metrics that are means over samples.
    derived: metrics computed from those. names: the metrics to report. metric: the one for groups
    and changed samples.
    """

    first: ScoredRun
    second: ScoredRun
    rows: tuple[Rows, Rows]
    cluster: Rows
    pairs: Mapping[str, Pair]
    derived: Mapping[str, Derived]
    names: tuple[str, ...]
    metric: str

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The common samples, as the first run has them."""
        return tuple(self.first.samples[row] for row in self.rows[0])

    def videos(self, counted: Mask) -> int:
        """Return the number of videos with samples that count."""
        return len(np.unique(self.cluster[counted]))

    def counted(self, name: str) -> Mask:
        """Return which samples count for a metric, derived or not, bool [N]."""
        columns = {column: pair.counted for column, pair in self.pairs.items()}
        return counted_in(name, columns, self.derived)

    def figures(self, name: str) -> tuple[float, float]:
        """Return a metric of both runs in percent, unrounded."""
        if name in self.pairs:
            return self.pairs[name].first.percent(), self.pairs[name].second.percent()
        rule = self.derived[name]
        parts = {part: np.array(self.figures(part)) for part in rule.of}
        first, second = rule.figures(parts)
        return float(first), float(second)

    def exact(self, pair: Pair) -> Ends | None:
        """Return the interval of a difference of means if nearly all changes are the same."""
        changes = 100 * pair.change[pair.counted]
        near = nearly_constant(changes, self.cluster[pair.counted], (-100.0, 100.0))
        return None if near is None else near.ends

    def exact_derived(self, name: str) -> Ends | None:
        """Return the interval of a derived metric's difference if this is so for all its parts.

        It reaches as far to both sides as changes of the parts within their intervals may move it.
        """
        rule = self.derived[name]
        parts = {part: self.exact(self.pairs[part]) for part in rule.of}
        changes = {part: ends for part, ends in parts.items() if ends is not None}
        if len(changes) < len(parts):
            return None
        firsts = {part: self.figures(part)[0] for part in rule.of}
        first, second = self.figures(name)

        def ends(level: float) -> tuple[float, float]:
            seconds = {}
            for part, change in changes.items():
                low, high = change(level)
                start = firsts[part]
                seconds[part] = max(start + low, 0.0), min(start + high, 100.0)
            reach = float(np.abs(rule.at_ends(seconds) - second).max())
            return second - first - reach, second - first + reach

        return ends

    def resampled(
        self, masks: list[Mask], resamples: int, seed: int = 0
    ) -> tuple[Mapping[str, Resampled], tuple[Resampled, ...]]:
        """Return resampled differences in percentage points, all from the same resamples.

        One for each name to report, and that of the chosen metric for each mask.
        """
        pairs, groups = list(self.pairs.values()), [self.pairs[self.metric].of(m) for m in masks]
        bases = pairs if self.derived else []  # derived metrics need the first run's figures
        changes = [pair.change for pair in (*groups, *pairs)]
        resampled = resampled_means(
            np.stack([*changes, *(pair.first.values for pair in bases)], axis=1),
            self.cluster,
            np.stack([pair.counted for pair in (*groups, *pairs, *bases)], axis=1),
            resamples,
            seed,
        ).each(lambda means: self._changes(100 * means, len(groups)))
        columns = tuple(resampled.columns())
        return dict(zip(self.names, columns[len(groups) :], strict=True)), columns[: len(groups)]

    def _changes(self, means: Floats, groups: int) -> Floats:
        """Return the differences of the groups and of all names, from resampled means."""
        changes = dict(zip(self.pairs, means.T[groups:], strict=False))
        firsts = dict(zip(self.pairs, means.T[groups + len(self.pairs) :], strict=False))
        for name, rule in self.derived.items():
            seconds = {part: firsts[part] + changes[part] for part in rule.of}
            changes[name] = rule.figures(seconds) - rule.figures(firsts)
        return np.column_stack([means[:, :groups], *(changes[name] for name in self.names)])


def paired(first: ScoredRun, second: ScoredRun, metric: str | None = None) -> Pairing:
    """Pair two runs on their common samples.

    Raises UserError where tasks, versions or splits differ, where no sample or no metric is in
    common, or `metric` (None: the primary one) is not a mean over samples in both.
    """
    _require_comparable(first, second)
    row_of = [{sample.id: row for row, sample in enumerate(run.samples)} for run in (first, second)]
    common = sorted(row_of[0].keys() & row_of[1].keys())
    if not common:
        raise UserError(
            f"{first.name} and {second.name} have no sample in common: name other runs."
        )
    rows = [np.array([index[name] for name in common], dtype=np.intp) for index in row_of]
    _, cluster = np.unique([first.samples[row].video for row in rows[0]], return_inverse=True)
    pairs = {
        name: _pair(column, second.table.columns[name], rows)
        for name, column in first.table.columns.items()
        if name in second.table.columns
    }
    derived = {
        name: _common(rule, pairs)
        for name, rule in first.table.derived.items()
        if name in second.table.derived and pairs.keys() >= {*rule.of}
    }
    chosen = _chosen_metric(first, pairs, metric)
    shared = [name for name in first.table.narrow if name in pairs or name in derived]
    names = tuple(dict.fromkeys((*shared, chosen)))
    derived = {name: rule for name, rule in derived.items() if name in names}
    used = {*names, *(part for rule in derived.values() for part in rule.of)}
    return Pairing(
        first=first,
        second=second,
        rows=(rows[0], rows[1]),
        cluster=cluster.astype(np.intp),
        pairs={name: pair for name, pair in pairs.items() if name in used},
        derived=derived,
        names=names,
        metric=chosen,
    )


def remarks(pairing: Pairing) -> Iterator[str]:
    """Say what limits the comparison."""
    first, second = pairing.first, pairing.second
    common, sizes = len(pairing.rows[0]), (len(first.samples), len(second.samples))
    if common < max(sizes):
        yield (
            f"Compared on the {common} samples only that both runs were asked (A {sizes[0]}, "
            f"B {sizes[1]}): the figures differ from those of the whole runs."
        )
    for label, run in (("A", first), ("B", second)):
        if len(run.samples) != run.split_size:
            yield (
                f"A SUBSET: {label} has {len(run.samples)} samples, the whole split "
                f"{run.split_size}."
            )
    for label, run in (("A", first), ("B", second)):
        if run.transformation:
            yield f"{label} has transformed videos ({run.transformation}): `vtg-eval probe --runs`."
    if first.protocol != second.protocol:
        yield (
            f"The protocols differ (A {first.protocol}, B {second.protocol}): the difference "
            "may come from them. --protocol NAME scores both runs under one."
        )
    for name in pairing.names:
        count = _counted_once(pairing, name) if name in pairing.pairs else 0
        if count:
            yield f"{name}: {count} samples that count for one run only are left out."
    videos = {name: pairing.videos(pairing.counted(name)) for name in pairing.names}
    least = min(videos, key=videos.__getitem__)
    if videos[least] < FEW_VIDEOS:
        yield (
            f"{least} has samples on {videos[least]} videos only: below {FEW_VIDEOS}, intervals "
            "and p-values are rough."
        )


def _counted_once(pairing: Pairing, name: str) -> int:
    """Return the number of common samples that count for a metric in one run only."""
    runs = zip((pairing.first, pairing.second), pairing.rows, strict=True)
    first, second = (run.table.columns[name].counted[rows] for run, rows in runs)
    return int(np.count_nonzero(first != second))


def _require_comparable(first: ScoredRun, second: ScoredRun) -> None:
    """Raise UserError where task, split or version differ."""
    for kind, one, other in (
        ("tasks", first.task, second.task),
        ("splits", first.split, second.split),
        ("versions of the task", _number(first.task_version), _number(second.task_version)),
    ):
        if one != other:
            raise UserError(
                f"{first.name} and {second.name} are of different {kind} ({one} and {other}): "
                "their scores cannot be compared. Name runs of the same."
            )


def _number(version: str) -> str:
    """Return the part of a card's version that changes when scores are no longer comparable."""
    return version.split("-")[0]


def _pair(first: Column, second: Column, rows: list[Rows]) -> Pair:
    first, second = first.of(rows[0]), second.of(rows[1])
    counted = first.counted & second.counted
    return Pair(replace(first, counted=counted), replace(second, counted=counted))


def _common(rule: Derived, pairs: Mapping[str, Pair]) -> Derived:
    """Return the rule, a mean's limited to the parts with a sample that counts for both."""
    if rule.rule != "mean":
        return rule
    firsts = {name: pair.first for name, pair in pairs.items()}
    return replace(rule, of=counted_parts(rule.of, firsts))


def _chosen_metric(first: ScoredRun, pairs: Mapping[str, Pair], metric: str | None) -> str:
    if not pairs:
        raise UserError("The two runs have no metric in common: score both under one --protocol.")
    if metric is not None and metric not in pairs:
        raise UserError(
            f'No mean over samples is called "{metric}" in both runs. {suggestion(metric, pairs)}'
        )
    name = metric or first.table.primary
    return name if name in pairs else next(iter(pairs))
