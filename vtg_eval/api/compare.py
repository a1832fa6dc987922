"""Runs against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtg_eval.api.runs import Run
from vtg_eval.comparison import compare as comparison
from vtg_eval.comparison.scored_run import ScoredRun, ScoringOptions, scored_runs
from vtg_eval.registry import Registry
from vtg_eval.run.gc_pause import gc_paused

if TYPE_CHECKING:
    from pandas import DataFrame


class Comparisons(Sequence[comparison.Comparison]):
    """Each further run compared with the first. runs: as they were read."""

    def __init__(
        self, runs: Sequence[ScoredRun], comparisons: Sequence[comparison.Comparison]
    ) -> None:
        self.runs = tuple(runs)
        self._comparisons = tuple(comparisons)

    def __getitem__(self, index: Any) -> Any:
        return self._comparisons[index]

    def __len__(self) -> int:
        return len(self._comparisons)

    def frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each metric of each further run."""
        import pandas as pd  # not at the top: it takes a while

        return pd.DataFrame([row for one in self._comparisons for row in _rows(one)])


def compare(
    first: str | Path | Run,
    *others: str | Path | Run,
    metric: str | None = None,
    protocol: str | None = None,
    task: str | None = None,
    split: str | None = None,
    data_root: str | Path | None = None,
    registry: Registry | None = None,
) -> Comparisons:
    """Compare runs with the first, on the samples that both have, as `vtg-eval compare`.

    A run is a `Run`, its folder, a file of predictions (with `task`), or scores as JSON. metric:
    for groups and samples (None: the primary one). Raises UserError where one cannot be read or
    runs cannot be compared.

    >>> compare("runs/a", "runs/b").frame()  # doctest: +SKIP
    """
    registry = registry or Registry.discover()
    paths = [run.path if isinstance(run, Run) else Path(run) for run in (first, *others)]
    options = ScoringOptions(Path(data_root) if data_root else None, protocol, task, split)
    with gc_paused():
        runs = scored_runs(paths, registry, options)
        return Comparisons(runs, comparison.compare(runs, metric))


def _rows(one: comparison.Comparison) -> Iterator[dict[str, Any]]:
    for row in one.metrics:
        estimate = row.estimate
        yield {
            "first": one.first.name,
            "second": one.second.name,
            "task": one.task,
            "split": one.split,
            "metric": row.metric,
            "samples": estimate.samples,
            "videos": estimate.videos,
            "first_value": estimate.first,
            "second_value": estimate.second,
            "difference": estimate.difference,
            "low": estimate.low,
            "high": estimate.high,
            "p": estimate.p,
            "p_holm": row.p_holm,
            "better": estimate.better,
            "worse": estimate.worse,
            "equal": estimate.equal,
        }
