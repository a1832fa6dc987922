"""Runs for other tools: `model-index` for model cards, and one JSON of everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vtg_eval import __version__
from vtg_eval.files.json_files import Metrics

from .board import Board
from .entries import LeaderboardEntry
from .long_rows import long_rows

FORMAT = 1
# the Hub's task type with video and text as input
TASK_TYPE = "video-text-to-text"


def model_index(board: Board, entries: Sequence[LeaderboardEntry]) -> str:
    """Return the metadata block of a model card (YAML between two lines of dashes).

    One result for each run, with the headline metrics in percent to two decimals; protocol,
    interval, floor and subset are in `args`. All strings are quoted, so no text can become a key.
    The format is that of huggingface_hub's `model_index_to_eval_results`.
    """
    lines = ["---", "model-index:"]
    for model in dict.fromkeys(entry.model for entry in entries):
        lines += [f"- name: {quoted(model)}", "  results:"]
        for entry in entries:
            if entry.model == model:
                lines += _result(board, entry)
    return "\n".join([*lines, "---"]) + "\n"


def whole_json(board: Board, entries: Sequence[LeaderboardEntry]) -> dict[str, Any]:
    """Return all data as plain JSON values; docs/leaderboard.md documents the keys."""
    return {
        "format": FORMAT,
        "made_by": f"vtg-eval {__version__}",
        "runs": [entry.to_json() for entry in entries],
        "numbers": [asdict(row) for slug in board.slugs for row in long_rows(board, slug)],
        "sources": [asdict(source) for source in board.published.sources.values()],
        "benchmarks": [asdict(benchmark) for benchmark in board.published.benchmarks.values()],
    }


def _result(board: Board, entry: LeaderboardEntry) -> Iterator[str]:
    yield "  - task:"
    yield f"      type: {TASK_TYPE}"
    yield "      name: Video temporal grounding"
    yield "    dataset:"
    yield f"      type: {quoted(entry.task)}"
    yield f"      name: {quoted(board.cards[entry.task].title)}"
    yield f"      split: {quoted(entry.split)}"
    yield f"      revision: {quoted(entry.spec['task_version'])}"
    yield "      args:"
    yield f"        subset: {quoted('whole' if board.is_whole(entry) else entry.subset.digest)}"
    yield f"        samples: {entry.subset.size}"
    yield f"        entry: {quoted(entry.name)}"
    yield f"        signature: {quoted(str(entry.to_json()['signature']))}"
    yield "    metrics:"
    for name in entry.figures.headline:
        value = entry.figures.metrics[name]
        if value is not None:
            yield f"    - type: {quoted(name)}"
            yield f"      name: {quoted(f'{name} (%)')}"
            yield f"      value: {value:.2f}"
            yield "      args:"
            yield f"        protocol: {quoted(entry.protocol)}"
            yield from _interval_and_floor(entry, name)


def _interval_and_floor(entry: LeaderboardEntry, name: str) -> Iterator[str]:
    low, high = entry.figures.intervals.get(name, (None, None))
    if low is not None and high is not None:
        yield f"        interval_95: [{low:.2f}, {high:.2f}]"
    floor = _best_floor(entry.figures.floors, name)
    if floor is not None:
        yield f"        best_blind_floor: {floor:.2f}"


def _best_floor(floors: Mapping[str, Metrics], name: str) -> float | None:
    """Return the best blind predictor's figure in a metric, None if there is none."""
    values = [metrics.get(name) for metrics in floors.values()]
    return max((value for value in values if value is not None), default=None)


def quoted(text: str) -> str:
    """Return a text as a double-quoted YAML scalar; non-printable characters are escaped."""
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\U{ord(character):08X}"
