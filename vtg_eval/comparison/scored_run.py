"""A run as comparisons read it: each sample's value of each metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vtg_eval.annotations.query_overlap import with_query_overlap
from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.parsing.coverage import Coverage, coverage
from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.run.durations import with_durations
from vtg_eval.run.finished import SplitCache, finished_run
from vtg_eval.run.paths import data_root
from vtg_eval.run.results import SampleResult, TaskResults, load_results
from vtg_eval.scoring.score import Score, score
from vtg_eval.scoring.table import Column, Table
from vtg_eval.types import Sample, Span, Target

SAME_FIGURE = 0.01  # percentage points, for protocols that round


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """Samples, parsed answers and the table of metrics, all in the samples' order.

    `name` is the path as the user gave it; `split_size` how many samples the split has by its
    card. Runs read from scores as JSON have samples without query, truth and groups. coverage:
    that of a predictions file. transformation: of a probe's run, else empty.
    """

    name: str
    model: str
    task: str
    task_version: str
    split: str
    protocol: str
    samples: tuple[Sample, ...]
    split_size: int
    parsed_answers: tuple[ParsedAnswer, ...]
    table: Table
    coverage: Coverage | None = None
    transformation: str = ""


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How answers are scored: the data root and the protocol (None: the defaults), and the task and
    split of files of predictions (no task: files are scores as JSON)."""

    root: Path | None = None
    protocol: str | None = None
    task: str | None = None
    split: str | None = None


def scored_runs(
    paths: Sequence[Path], registry: Registry, options: ScoringOptions
) -> list[ScoredRun]:
    """Read runs as `scored_run` does."""
    splits = SplitCache()
    return [scored_run(path, registry, options, splits) for path in paths]


def scored_run(
    path: Path, registry: Registry, options: ScoringOptions, splits: SplitCache
) -> ScoredRun:
    """Read a run: a folder, a file of predictions where a task is named, else scores as JSON.

    Raises UserError where it is none of them, or its annotations are missing.
    """
    if path.is_dir():
        run = finished_run(path, registry, splits, options.root, options.protocol, times=False)
        spec, card = run.spec, run.task.card
        samples = with_query_overlap(
            run.samples, card, spec.split, lambda name: splits.samples(run.task, run.root, name)
        )
        result = score(card, samples, run.answers, spec.protocol, spec.split)
        size = run.subset.of
        scored = _from_score(str(path), spec.model, spec.task_version, size, result)
        change = spec.transformation.name if spec.transformation else ""
        return replace(scored, protocol=spec.rules, transformation=change)
    if options.task is None:
        return from_results(str(path), _results(path), options.protocol)
    task = registry.task(options.task)
    split = task.card.split(options.split)
    root = data_root(task, options.root)
    samples = with_query_overlap(
        with_durations(task, root, splits.samples(task, root, split)),
        task.card,
        split,
        lambda name: splits.samples(task, root, name),
    )
    protocol = registry.protocol_for(task.card, options.protocol, split)
    answers = read_predictions(path)
    result = score(task.card, samples, answers, protocol, split)
    size = task.card.split_size(split, len(samples))
    scored = _from_score(str(path), path.name, task.card.version, size, result)
    return replace(scored, coverage=coverage(samples, answers))


def _from_score(name: str, model: str, version: str, size: int, result: Score) -> ScoredRun:
    return ScoredRun(
        name=name,
        model=model,
        task=result.task,
        task_version=version,
        split=result.split,
        protocol=result.protocol,
        samples=result.samples,
        split_size=size,
        parsed_answers=result.parsed_answers,
        table=result.table,
    )


def from_results(name: str, results: TaskResults, protocol: str | None) -> ScoredRun:
    """Return scores as a run to compare; their samples have no query, truth and groups.

    protocol: that of the user (None: any). Raises UserError where the scores are of another one, or
    are not the means of the samples' values.
    """
    if protocol not in (None, results.protocol):
        raise UserError(
            f"{name} holds scores under {results.protocol}. For other protocols name run folders, "
            "or predictions with --task."
        )
    rows = results.samples
    return ScoredRun(
        name=name,
        model=results.model,
        task=results.task,
        task_version=results.task_version,
        split=results.split,
        protocol=results.rules,
        samples=tuple(Sample(row.id, row.video, query="", target=Target()) for row in rows),
        split_size=results.subset.of,
        parsed_answers=tuple(_parsed(row) for row in rows),
        table=_table(name, results),
        transformation=results.transformation,
    )


def _results(path: Path) -> TaskResults:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UserError(f"The run {path} cannot be read: {exc.strerror}. Name a run.") from exc
    except (ValueError, RecursionError) as exc:
        raise UserError(
            f"{path} is neither a run folder nor scores as JSON. If it holds predictions, name "
            "their task by --task."
        ) from exc
    if not isinstance(table, dict):
        raise UserError(f"{path} is not from `vtg-eval score --json`: name its run's folder.")
    return load_results(table)


def _table(name: str, results: TaskResults) -> Table:
    """Return the metrics whose figures follow from the file's values of the samples.

    Raises UserError where the primary one is not among them: up to format 3 a file does not list
    the samples that count, and no file has values that are not finite.
    """
    names = dict.fromkeys(name for row in results.samples for name in row.values)
    columns = {name: _column([row.values.get(name) for row in results.samples]) for name in names}
    columns = {
        name: column
        for name, column in columns.items()
        if (stated := results.metrics.get(name)) is not None
        and abs(column.percent() - stated) <= SAME_FIGURE
    }
    if results.primary not in columns:
        raise UserError(
            f"The samples' values in {name} do not add up to its {results.primary}: not all "
            "samples count, or some values are not finite. Name the run's folder, or the "
            "predictions with --task."
        )
    headline = tuple(name for name in results.headline if name in columns)
    return Table(columns, results.primary, headline=headline)


def _column(parts: Sequence[float | None]) -> Column:
    """Return the column of a metric; None: the sample does not count."""
    counted = np.array([part is not None for part in parts], dtype=np.bool_)
    return Column(np.array([part or 0.0 for part in parts], dtype=np.float64), counted)


def _parsed(row: SampleResult) -> ParsedAnswer:
    """Return the part of an answer that counted."""
    times = [np.nan if time is None else time for time in row.span or ()]
    spans = (Span(*times),) if times else ()
    return ParsedAnswer(listed=spans, letters=() if row.choice is None else (row.choice,))
