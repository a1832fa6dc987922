"""Runs against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtg_eval.api.runs import Run, Scored
from vtg_eval.comparison import compare as comparison
from vtg_eval.comparison.scored_run import (
    ScoredRun,
    ScoringOptions,
    from_results,
    scored_run,
)
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.finished import SplitCache
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

    def __repr__(self) -> str:
        return f"<comparison of {', '.join(run.name for run in self.runs)}: see frame()>"

    def frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each metric of each further run."""
        import pandas as pd  # not at the top: it takes a while

        return pd.DataFrame([row for one in self._comparisons for row in _rows(one)])


def compare(
    first: str | Path | Scored,
    *others: str | Path | Scored,
    metric: str | None = None,
    protocol: str | None = None,
    task: str | None = None,
    split: str | None = None,
    data_root: str | Path | None = None,
    registry: Registry | None = None,
) -> Comparisons:
    """Compare runs with the first, on the samples that both have, as `vtg-eval compare`.

    A run is what `load_run`, `evaluate` or `score` returned, a run's folder, a file of predictions
    (with `task`), or scores as JSON. protocol: for all of them (None: as they were read, else each
    run's own). metric: for groups and samples (None: the primary one). Raises UserError where one
    cannot be read or they cannot be compared.

    >>> compare("runs/a", "runs/b").frame()  # doctest: +SKIP
    """
    if not others:
        raise UserError("Name two runs or more.")
    options = ScoringOptions(Path(data_root) if data_root else None, protocol, task, split)
    splits, plugins = SplitCache(), registry or Registry.discover()
    with gc_paused():
        runs = [_scored_run(run, plugins, options, splits) for run in (first, *others)]
        return Comparisons(runs, comparison.compare(runs, metric))


def _scored_run(
    run: str | Path | Scored, registry: Registry, options: ScoringOptions, splits: SplitCache
) -> ScoredRun:
    if isinstance(run, Run):
        if options.protocol is None:
            options = replace(options, protocol=run.other_protocol)
        return scored_run(run.path, registry, options, splits)
    if isinstance(run, Scored):
        return replace(from_results(run.name, run.results, options.protocol), samples=run.samples)
    return scored_run(Path(run), registry, options, splits)


def _rows(one: comparison.Comparison) -> Iterator[dict[str, Any]]:
    for row in one.metrics:
        estimate = row.estimate
        yield {
            "first": one.first.name,
            "second": one.second.name,
            "task": one.task,
            "split": one.split,
            "first_protocol": one.first.protocol,
            "second_protocol": one.second.protocol,
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
