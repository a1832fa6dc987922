"""A benchmark's numbers in long format, one row for each: for the CSV files and the JSON export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal

from vtg_eval.console.text import visible

from .board import Board
from .entries import entry_file
from .published import PublishedSource
from .ranking import half_width
from .signing import csv_text

Kind = Literal["reproduced", "reported", "floor"]


@dataclass(frozen=True, slots=True)
class LongRow:
    """One number. Unknown texts are empty, unknown numbers None.

    kind: "reproduced" (a run), "reported" (by a source) or "floor" (a blind predictor, whose name
    is in `model`). value, low, high: percent; low and high are the run's own 95 % interval, else
    Wilson's for the benchmark's number of samples. read: "source", "copy" or "no". link: the
    source's address, or the path of the run's entry.
    """

    kind: Kind
    benchmark: str
    task: str
    split: str
    metric: str
    model: str
    value: float | None
    low: float | None = None
    high: float | None = None
    condition: str = ""
    subset: str = ""
    setting: str = ""
    protocol: str = ""
    evaluator: str = "vtg-eval"
    note: str = ""
    size_b: float | None = None
    base_model: str = ""
    training: str = ""
    frames: str = ""
    budget: str = ""
    source: str = ""
    location: str = ""
    read: str = "source"
    mark: str = ""
    link: str = ""


def long_rows(board: Board, slug: str) -> tuple[LongRow, ...]:
    """Return a page's numbers: runs, then floors, then reported numbers."""
    return (*_runs(board, slug), *_floors(board, slug), *_numbers(board, slug))


def csv_file(board: Board, slug: str) -> str:
    """Return a page's numbers as a CSV file."""
    return _csv(LongRow, long_rows(board, slug))


def sources_file(board: Board) -> str:
    """Return the sources as a CSV file."""
    return _csv(PublishedSource, board.published.sources.values())


def _csv(
    row_type: type[LongRow | PublishedSource], rows: Iterable[LongRow | PublishedSource]
) -> str:
    names = [field.name for field in fields(row_type)]
    return csv_text(names, [{name: _text(getattr(row, name)) for name in names} for row in rows])


def _text(value: object) -> str:
    """Return a value as text that no spreadsheet reads as a formula."""
    text = (
        "" if value is None else f"{value:.6g}" if isinstance(value, float) else visible(str(value))
    )
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _runs(board: Board, slug: str) -> Iterator[LongRow]:
    for entry in board.entries_of(slug):
        for metric, value in entry.figures.metrics.items():
            low, high = entry.figures.intervals.get(metric, (None, None))
            yield LongRow(
                kind="reproduced",
                benchmark=slug,
                task=entry.task,
                split=entry.split,
                condition=board.condition_of(entry),
                subset="" if board.is_whole(entry) else entry.subset.digest,
                metric=metric,
                model=entry.model,
                setting=entry.setting,
                value=value,
                low=low,
                high=high,
                protocol=entry.protocol,
                link=entry_file(entry.name),
            )


def _floors(board: Board, slug: str) -> Iterator[LongRow]:
    task = board.task_of(slug)
    for row in board.floors:
        if row.task == task:
            yield LongRow(
                kind="floor",
                benchmark=slug,
                task=row.task,
                split=row.split,
                metric=row.metric,
                model=row.floor,
                value=row.value,
                note="blind",
                protocol=row.protocol,
            )


def _numbers(board: Board, slug: str) -> Iterator[LongRow]:
    for n in board.numbers_of(slug):
        benchmark = board.published.benchmarks[slug]
        model = board.published.models[n.model]
        samples = benchmark.samples(n.split, n.metric)
        half = half_width(n.value, samples) if samples else None
        yield LongRow(
            kind="reported",
            benchmark=slug,
            task=benchmark.task,
            split=n.split,
            condition=n.condition,
            metric=n.metric,
            model=n.model,
            size_b=model.size_b,
            base_model=model.base_model,
            training=model.training,
            setting=n.setting,
            value=n.value,
            low=None if half is None else max(0.0, n.value - half),
            high=None if half is None else min(100.0, n.value + half),
            note=n.note,
            evaluator=n.evaluator,
            protocol=n.protocol,
            frames=n.frames,
            budget=n.budget,
            source=n.source,
            location=n.location,
            read=n.read,
            mark=board.mark(n),
            link=board.published.sources[n.source].url,
        )
