"""Which rows a figure may be ranked among: runs and published numbers that are comparable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .board import Board
from .entries import LeaderboardEntry
from .published import Benchmark, Number
from .ranking import Figure, Key, number_key, published_figure


@dataclass(frozen=True, slots=True)
class ComparableRow:
    """A row that something is ranked among; `protocol` is empty where it is not stated."""

    model: str
    protocol: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """All rivals, and how many rows of the same metric are left out, for they differ."""

    rows: tuple[ComparableRow, ...]
    left_out: int


def comparison_set_of_number(board: Board, own: Number) -> ComparisonSet:
    """Return what a published number is ranked among; whole runs may be in it."""
    benchmark = board.published.benchmarks[own.benchmark]
    key = number_key(own)
    others = [
        n
        for n in _same_metric(board, benchmark, key)
        if (n.model, n.value) != (own.model, own.value)
    ]
    runs = _runs(board, benchmark.task, key)
    fitting = [e for e in runs if board.is_whole(e) and _admitted(board, key, e)]
    return _comparison_set(benchmark, key, others, runs, fitting)


def comparison_set_of_run(board: Board, own: LeaderboardEntry, metric: str) -> ComparisonSet:
    """Return what a run's figure is ranked among.

    A run of a part of the split is ranked among runs of the very same part alone. Runs of other
    annotations or of another version of the task are left out.
    """
    benchmark = board.published.of_task(own.task)
    key = board.entry_key(own, metric)
    others = _same_metric(board, benchmark, key) if benchmark else []
    runs = [e for e in _runs(board, own.task, key) if e.name != own.name]
    fitting = [e for e in runs if _same_samples(e, own) and _admitted(board, key, e)]
    if benchmark is None or not board.is_whole(own):
        return ComparisonSet(
            tuple(_comparable_run(e, key) for e in fitting), len(runs) + len(others) - len(fitting)
        )
    return _comparison_set(benchmark, key, others, runs, fitting)


def entry_figure(entry: LeaderboardEntry, metric: str) -> Figure:
    """Return a run's figure; where it has no interval, equal figures alone share a rank."""
    low, high = entry.figures.intervals.get(metric, (None, None))
    half = 0.0 if low is None or high is None else (high - low) / 2
    return Figure(entry.figures.metrics[metric] or 0.0, half)


def _comparison_set(
    benchmark: Benchmark,
    key: Key,
    others: Iterable[Number],
    runs: list[LeaderboardEntry],
    fitting: list[LeaderboardEntry],
) -> ComparisonSet:
    """Return the field. One number that several sources print of a model is one rival."""
    found: dict[tuple[str, float], ComparableRow] = {}
    left_out = len(runs) - len(fitting)
    for n in others:
        if key.admits(number_key(n)):
            rival = ComparableRow(n.model, n.protocol, published_figure(n, benchmark))
            found.setdefault((n.model, n.value), rival)
        else:
            left_out += 1
    return ComparisonSet((*found.values(), *(_comparable_run(e, key) for e in fitting)), left_out)


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
