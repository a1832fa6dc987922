"""The rows that a figure is ranked among: comparable runs and published numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .board import Board
from .entries import LeaderboardEntry
from .published import Benchmark, Number
from .ranking import Figure, Key, number_key, published_figure


@dataclass(frozen=True, slots=True)
class ComparableRow:
    """A row that a figure is ranked among; `protocol` is empty if it is not stated."""

    model: str
    protocol: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """All comparable rows, and how many rows of the same metric are not comparable."""

    rows: tuple[ComparableRow, ...]
    left_out: int


def comparison_set_of_number(board: Board, number: Number) -> ComparisonSet:
    """Return the rows that a published number is ranked among: numbers and whole-split runs."""
    benchmark = board.published.benchmarks[number.benchmark]
    key = number_key(number)
    others = [
        n
        for n in _same_metric(board, benchmark, key)
        if (n.model, n.value) != (number.model, number.value)
    ]
    runs = _runs(board, benchmark.task, key)
    comparable = [e for e in runs if board.is_whole(e) and _admitted(board, key, e)]
    return _comparison_set(benchmark, key, others, runs, comparable)


def comparison_set_of_run(board: Board, entry: LeaderboardEntry, metric: str) -> ComparisonSet:
    """Return the rows that a run's figure is ranked among.

    A run on part of the split is only ranked among runs on the same part. Runs on other
    annotations or on another version of the task are left out.
    """
    benchmark = board.published.of_task(entry.task)
    key = board.entry_key(entry, metric)
    others = _same_metric(board, benchmark, key) if benchmark else []
    runs = [e for e in _runs(board, entry.task, key) if e.name != entry.name]
    comparable = [e for e in runs if _same_samples(e, entry) and _admitted(board, key, e)]
    if benchmark is None or not board.is_whole(entry):
        rows = tuple(_comparable_run(e, key) for e in comparable)
        return ComparisonSet(rows, len(runs) + len(others) - len(rows))
    return _comparison_set(benchmark, key, others, runs, comparable)


def entry_figure(entry: LeaderboardEntry, metric: str) -> Figure:
    """Return a run's figure; without an interval, only equal figures share a rank."""
    low, high = entry.figures.intervals.get(metric, (None, None))
    half = 0.0 if low is None or high is None else (high - low) / 2
    return Figure(entry.figures.metrics[metric] or 0.0, half)


def _comparison_set(
    benchmark: Benchmark,
    key: Key,
    others: Iterable[Number],
    runs: list[LeaderboardEntry],
    comparable: list[LeaderboardEntry],
) -> ComparisonSet:
    """Return the set. A number that several sources print for one model is one row."""
    rows: dict[tuple[str, float], ComparableRow] = {}
    left_out = len(runs) - len(comparable)
    for n in others:
        if key.admits(number_key(n)):
            row = ComparableRow(n.model, n.protocol, published_figure(n, benchmark))
            rows.setdefault((n.model, n.value), row)
        else:
            left_out += 1
    return ComparisonSet((*rows.values(), *(_comparable_run(e, key) for e in comparable)), left_out)


def _same_metric(board: Board, benchmark: Benchmark, key: Key) -> list[Number]:
    return [n for n in board.numbers_of(benchmark.slug) if n.metric == key.metric]


def _runs(board: Board, task: str, key: Key) -> list[LeaderboardEntry]:
    entries = [e for e in board.entries if task and e.task == task]
    return [e for e in entries if e.figures.metrics.get(key.metric) is not None]


def _admitted(board: Board, key: Key, entry: LeaderboardEntry) -> bool:
    return key.admits(board.entry_key(entry, key.metric))


def _same_samples(a: LeaderboardEntry, b: LeaderboardEntry) -> bool:
    return (a.split, a.subset.digest, a.data) == (b.split, b.subset.digest, b.data)


def _comparable_run(entry: LeaderboardEntry, key: Key) -> ComparableRow:
    return ComparableRow(entry.model, entry.protocol, entry_figure(entry, key.metric))
