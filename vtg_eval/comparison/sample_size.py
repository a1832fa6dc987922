"""Plans: how many samples an effect needs, from finished runs or by assumption."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vtg_eval.comparison.compare import compare
from vtg_eval.comparison.plan_request import PlanRequest
from vtg_eval.comparison.scored_run import ScoredRun
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import finite
from vtg_eval.statistics.power import (
    Precision,
    SampleSize,
    cluster_size,
    error_without_runs,
    minimum_detectable_effect_at,
    needed,
)
from vtg_eval.types import Sample

FORMAT = 1
NO_VARIATION = 1e-9  # percentage points: rounding error of a difference that never varies
_R = "correlation of two runs' values for a sample"


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One metric. `error`: the standard error of a difference at `size`, in percentage points.

    `minimum_detectable_effect` is that at `size`, `effects` those at the plan's numbers of samples;
    `needed`: the size that each effect of the plan needs (None: more than 10^9 videos).
    """

    metric: str
    size: SampleSize
    error: float
    degrees_of_freedom: int
    minimum_detectable_effect: float | None
    effects: tuple[float | None, ...]
    needed: tuple[SampleSize | None, ...]


@dataclass(frozen=True, slots=True)
class SampleSizePlan:
    """`samples` and `effects` as in the request; `assumptions` of the figures, one a line."""

    title: str
    samples: tuple[int, ...]
    effects: tuple[float, ...]
    rows: tuple[PlanRow, ...]
    assumptions: tuple[str, ...]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def plan_from_runs(runs: Sequence[ScoredRun], request: PlanRequest) -> SampleSizePlan:
    """Plan from the differences of two runs, or from the values of one run.

    Raises UserError where there are too few videos or the values never vary.
    """
    single = len(runs) == 1
    (comparison,) = compare([_zeros(runs[0]), runs[0]] if single else runs)
    factor = math.sqrt(2 * (1 - request.correlation)) if single else 1.0
    rows = []
    for row in comparison.metrics:
        estimate = row.estimate
        error = (estimate.error or 0.0) * factor
        if estimate.degrees_of_freedom and error > NO_VARIATION:
            size = SampleSize(estimate.samples, estimate.videos)
            precision = Precision(error, estimate.degrees_of_freedom, size)
            rows.append(_row(row.metric, precision, request))
    if not rows:
        raise UserError(
            "Nothing can be planned from this: there are too few videos, or no variation. Name "
            "other runs, or --task and --figure."
        )
    if single:
        source = (
            f"standard error: that of the run's figure, times sqrt(2 (1 - {_R})), with "
            f"{request.correlation:g} assumed for the {_R}"
        )
    else:
        source = "standard error: that of B - A, measured on these two runs"
    return _plan(f"{comparison.task} {comparison.split}", rows, request, source)


def plan_from_figure(
    name: str, samples: Sequence[Sample], figure: float, request: PlanRequest
) -> SampleSizePlan:
    """Plan for a metric of hits that is `figure` percent, on the samples of a split `name`."""
    sizes = list(Counter(sample.video for sample in samples).values())
    error = error_without_runs(figure, request.correlation, request.within, sizes)
    precision = Precision(error, len(sizes) - 1, SampleSize(len(samples), len(sizes)))
    row = _row(f"hits, {figure:g} %", precision, request)
    source = (
        f"standard error: 100 sqrt(2 p (1 - p) (1 - {_R}) (1 + (m - 1) within) / samples), with "
        f"p = {figure / 100:g}, {request.correlation:g} assumed for the {_R}, {request.within:g} "
        f"for the correlation within a video, and m = {cluster_size(sizes):.1f} samples on an "
        "average sample's video"
    )
    return _plan(name, [row], request, source)


def _plan(title: str, rows: Sequence[PlanRow], request: PlanRequest, source: str) -> SampleSizePlan:
    fixed = (
        "MDE, minimum detectable effect: (t(97.5 %) + t(80 %)) standard errors, a test at 5 % "
        "with a power of 80 %, not corrected for several metrics",
        "other sizes: as many samples a video and the same variance, so that the standard error "
        "goes with 1 / sqrt(videos)",
    )
    return SampleSizePlan(title, request.samples, request.effects, tuple(rows), (source, *fixed))


def _row(metric: str, precision: Precision, request: PlanRequest) -> PlanRow:
    return PlanRow(
        metric=metric,
        size=precision.size,
        error=precision.error,
        degrees_of_freedom=precision.degrees_of_freedom,
        minimum_detectable_effect=finite(precision.minimum_detectable_effect),
        effects=tuple(
            finite(minimum_detectable_effect_at(precision, count)) for count in request.samples
        ),
        needed=tuple(needed(precision, effect) for effect in request.effects),
    )


def _zeros(run: ScoredRun) -> ScoredRun:
    """Return a run that scores nothing: the difference to it is the run's own figure."""
    columns = {
        name: replace(column, values=np.zeros_like(column.values))
        for name, column in run.table.columns.items()
    }
    return replace(run, table=replace(run.table, columns=columns))
