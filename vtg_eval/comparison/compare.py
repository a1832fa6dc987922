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
from vtg_eval.statistics.difference import Ends, Wins, difference, holm, wins
from vtg_eval.statistics.power import minimum_detectable_effect
from vtg_eval.types import Group, Sample

FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run's name, model and protocol, and its number of samples."""

    name: str
    model: str
    protocol: str
    samples: int


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """One metric of both runs, in percent, on the samples that count for both.

    `difference` is second minus first, `error` its standard error, `low` and `high` the ends of its
    95 % interval. None: not defined, for example wins and losses of a derived metric.
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
    """One metric. `p_holm` is adjusted for all metrics and runs of one call of `compare`.

    `minimum_detectable_effect`: the smallest true difference found with a power of 80 %.
    `correlation`: of the two runs' values. `design_effect`: the variance over that of independent
    samples. The last two are None for a derived metric.
    """

    metric: str
    estimate: MetricEstimate
    minimum_detectable_effect: float | None
    correlation: float | None
    design_effect: float | None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """The chosen metric on one group's samples. Its p-value is not adjusted."""

    grouping: str
    group: str
    estimate: MetricEstimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run against the first. `metric` is that of `groups` and `changed`.

    `samples` and `videos` count what both runs have in common; `digest` is over the sample ids.
    `remarks` state the limits of the comparison.
    """

    first: RunSummary
    second: RunSummary
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
    comparisons = [_compare(paired(runs[0], other, metric), resamples) for other in runs[1:]]
    p_values = [row.estimate.p for comparison in comparisons for row in comparison.metrics]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return tuple(
        replace(c, metrics=tuple(_with_holm(row, adjusted) for row in c.metrics))
        for c in comparisons
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
        first=_run_summary(first),
        second=_run_summary(second),
        task=first.task,
        task_version=first.task_version,
        split=first.split,
        samples=len(samples),
        videos=len({sample.video for sample in samples}),
        digest=subset_digest(sample.id for sample in samples),
        metric=pairing.metric,
        metrics=tuple(_metric_row(pairing, name, figure) for name, figure in figures.items()),
        groups=tuple(
            _group_row(pairing, group, mask, figure)
            for (group, mask), figure in groups
            if (mask & pairing.counted(pairing.metric)).any()
        ),
        changed=changed_samples(pairing),
        remarks=tuple(remarks(pairing)),
    )


def _run_summary(run: ScoredRun) -> RunSummary:
    return RunSummary(run.name, run.model, run.protocol, len(run.samples))


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
    exact = pairing.exact_derived(name) if pair is None else pairing.exact(pair)
    figures = pairing.figures(name)
    estimate = _estimate(pairing, figures, pairing.counted(name), resampled, pair, exact)
    error, degrees_of_freedom = estimate.error, estimate.degrees_of_freedom
    return MetricRow(
        metric=name,
        estimate=estimate,
        minimum_detectable_effect=(
            None
            if not error or degrees_of_freedom is None
            else finite(minimum_detectable_effect(error, degrees_of_freedom))
        ),
        correlation=None if pair is None else _correlation(pair),
        design_effect=None if pair is None or error is None else _design_effect(pair, error),
    )


def _group_row(pairing: Pairing, group: Group, mask: Mask, resampled: Resampled) -> GroupComparison:
    pair = pairing.pairs[pairing.metric].of(mask)
    figures, exact = (pair.first.percent(), pair.second.percent()), pairing.exact(pair)
    estimate = _estimate(pairing, figures, pair.counted, resampled, pair, exact)
    return GroupComparison(*group, estimate)


def _estimate(
    pairing: Pairing,
    figures: tuple[float, float],
    counted: Mask,
    resampled: Resampled,
    pair: Pair | None,
    exact: Ends | None,
) -> MetricEstimate:
    first, second = figures
    videos = pairing.videos(counted)
    change = difference(second - first, resampled, videos, exact=exact)
    low, high = change.interval or (None, None)
    better, worse, equal = (None, None, None) if pair is None else _wins(pair)
    return MetricEstimate(
        samples=int(counted.sum()),
        videos=videos,
        first=finite(first),
        second=finite(second),
        difference=finite(change.value),
        error=change.error,
        degrees_of_freedom=change.degrees_of_freedom,
        low=low,
        high=high,
        p=change.p,
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
    """Return the variance of the difference over that of independent samples."""
    change = pair.change[pair.counted]
    if len(change) < 2 or not change.std() > 0:
        return None
    return error**2 / (100**2 * float(change.var(ddof=1)) / len(change))
