"""Runs compared on their common samples: metric by metric, group by group, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from vtg_eval.comparison.changed_samples import ChangedSample, changed_samples
from vtg_eval.comparison.pairing import Pair, Pairing, paired, remarks
from vtg_eval.comparison.scored_run import ScoredRun
from vtg_eval.files.digests import subset_digest
from vtg_eval.files.json_files import finite
from vtg_eval.scoring.choice import group_masks
from vtg_eval.scoring.table import Mask
from vtg_eval.statistics.bootstrap import RESAMPLES, Resampled
from vtg_eval.statistics.correlation import correlation
from vtg_eval.statistics.difference import Wins, difference, holm, wins
from vtg_eval.statistics.power import minimum_detectable_effect
from vtg_eval.types import Group, Sample

FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Which run it is, and how many samples it was asked."""

    name: str
    model: str
    protocol: str
    samples: int


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """One metric of both runs, in percent, on the samples that count for both.

    `difference` is second minus first, `error` its standard error, with `freedom` degrees of
    freedom, `low` and `high` its 95 % interval. None: no such number, as wins and losses of a
    metric that follows from others.
    """

    samples: int
    videos: int
    first: float | None
    second: float | None
    difference: float | None
    error: float | None
    degrees_of_freedom: int | None
    low: float | None
    high: float | None
    p: float | None
    better: int | None
    worse: int | None
    equal: int | None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric. `p_holm` is adjusted for all metrics and runs that were compared at once.

    `detectable`: the smallest true difference that is found with a power of 80 %. `correlation`
    is that of the two runs' values, `design_effect` how many times the variance is what
    independent samples would have; both None for a metric that follows from others.
    """

    metric: str
    estimate: MetricEstimate
    minimum_detectable_effect: float | None
    correlation: float | None
    design_effect: float | None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """The chosen metric on one group's samples. Its p-value is not adjusted for anything."""

    grouping: str
    group: str
    estimate: MetricEstimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run against the first. `metric` is the one of `groups` and `changed`.

    `samples` were asked of both, on `videos` videos; `digest` is over their ids. `remarks` say
    what limits the comparison.
    """

    first: RunFacts
    second: RunFacts
    task: str
    task_version: str
    split: str
    samples: int
    videos: int
    digest: str
    metric: str
    metrics: tuple[MetricRow, ...]
    groups: tuple[GroupComparison, ...]
    changed: tuple[ChangedSample, ...]
    remarks: tuple[str, ...]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def compare(
    runs: Sequence[ScoredRun], metric: str | None = None, resamples: int = RESAMPLES
) -> tuple[Comparison, ...]:
    """Compare each run after the first with the first.

    metric: for groups and changed samples (None: the primary one). Errors as for `paired`.
    """
    found = [_compare(paired(runs[0], other, metric), resamples) for other in runs[1:]]
    tested = [row.estimate.p for each in found for row in each.metrics]
    adjusted = iter(holm([p for p in tested if p is not None]))
    return tuple(
        replace(each, metrics=tuple(_with_holm(row, adjusted) for row in each.metrics))
        for each in found
    )


def _with_holm(row: MetricRow, adjusted: Iterator[float]) -> MetricRow:
    return row if row.estimate.p is None else replace(row, p_holm=next(adjusted))


def _compare(pairing: Pairing, resamples: int) -> Comparison:
    first, second = pairing.first, pairing.second
    samples = pairing.samples
    masks = _groups(samples)
    figures, by_group = pairing.resampled(list(masks.values()), resamples)
    groups = zip(masks.items(), by_group, strict=True)
    return Comparison(
        first=_facts(first),
        second=_facts(second),
        task=first.task,
        task_version=first.task_version,
        split=first.split,
        samples=len(samples),
        videos=len({sample.video for sample in samples}),
        digest=subset_digest(sample.id for sample in samples),
        metric=pairing.metric,
        metrics=tuple(_metric_row(pairing, name, found) for name, found in figures.items()),
        groups=tuple(
            _group_row(pairing, group, mask, drawn)
            for (group, mask), drawn in groups
            if (mask & pairing.counted(pairing.metric)).any()
        ),
        changed=changed_samples(pairing),
        remarks=tuple(remarks(pairing)),
    )


def _facts(run: ScoredRun) -> RunFacts:
    return RunFacts(run.name, run.model, run.protocol, len(run.samples))


def _groups(samples: Sequence[Sample]) -> dict[Group, Mask]:
    """Return each group's members, bool [N], by grouping and name in alphabetical order."""
    groupings = sorted({group.grouping for sample in samples for group in sample.groups})
    return {
        Group(grouping, name): mask
        for grouping in groupings
        for name, mask in sorted(group_masks(samples, grouping).items())
    }


def _metric_row(pairing: Pairing, name: str, resampled: Resampled) -> MetricRow:
    pair = pairing.pairs.get(name)
    found = _estimate(pairing, pairing.figures(name), pairing.counted(name), resampled, pair)
    error, degrees_of_freedom = found.error, found.degrees_of_freedom
    return MetricRow(
        metric=name,
        estimate=found,
        minimum_detectable_effect=(
            None
            if error is None or degrees_of_freedom is None
            else finite(minimum_detectable_effect(error, degrees_of_freedom))
        ),
        correlation=None if pair is None else _correlation(pair),
        design_effect=None if pair is None or error is None else _design_effect(pair, error),
    )


def _group_row(pairing: Pairing, group: Group, mask: Mask, resampled: Resampled) -> GroupComparison:
    pair = pairing.pairs[pairing.metric].of(mask)
    figures = pair.first.percent(), pair.second.percent()
    return GroupComparison(*group, _estimate(pairing, figures, pair.counted, resampled, pair))


def _estimate(
    pairing: Pairing,
    figures: tuple[float, float],
    counted: Mask,
    resampled: Resampled,
    pair: Pair | None,
) -> MetricEstimate:
    first, second = figures
    videos = pairing.videos(counted)
    found = difference(second - first, resampled, videos)
    low, high = found.interval or (None, None)
    better, worse, equal = (None, None, None) if pair is None else _wins(pair)
    return MetricEstimate(
        samples=int(counted.sum()),
        videos=videos,
        first=finite(first),
        second=finite(second),
        difference=finite(found.value),
        error=found.error,
        degrees_of_freedom=found.degrees_of_freedom,
        low=low,
        high=high,
        p=found.p,
        better=better,
        worse=worse,
        equal=equal,
    )


def _wins(pair: Pair) -> Wins:
    return wins(pair.first.values[pair.counted], pair.second.values[pair.counted])


def _correlation(pair: Pair) -> float | None:
    """Return the correlation of the two runs' values; None where one of them is constant."""
    return correlation(pair.first.values[pair.counted], pair.second.values[pair.counted])


def _design_effect(pair: Pair, error: float) -> float | None:
    """Return how many times the variance is what independent samples would have."""
    change = pair.change[pair.counted]
    if len(change) < 2 or not change.std() > 0:
        return None
    return error**2 / (100**2 * float(change.var(ddof=1)) / len(change))
