"""Blind floors as data: `python -m vtg_eval.leaderboard.floor_rows FILE DATA_ROOT` writes them.

Building the tables must not need annotation files, so the floors are stored with the published
results. They are the figures of docs/floors.md, for tasks and splits with published results.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from vtg_eval.annotations.split import read_split
from vtg_eval.errors import MissingFileError
from vtg_eval.files.atomic import write_text
from vtg_eval.registry import Registry
from vtg_eval.scoring.floors import task_floors
from vtg_eval.task import Task

from .published import Benchmark
from .published_files import load_published
from .signing import CHECK, csv_text, read_rows, row_check, verify_row

COLUMNS = ("task", "split", "protocol", "samples", "floor", "metric", "value", CHECK)


@dataclass(frozen=True, slots=True)
class FloorRow:
    """One blind predictor's figure in one metric: `value` in percent, `text` as it is shown."""

    task: str
    split: str
    protocol: str
    samples: int
    floor: str
    metric: str
    value: float
    text: str


def load_floors(path: Path, signed: bool = True) -> tuple[FloorRow, ...]:
    """Read the file; raises DataError that names the row."""
    floors = []
    for row in read_rows(path, COLUMNS):
        if signed:
            verify_row(row, f"{row.text('floor')}, {row.text('metric')} {row.text('value')}")
        floors.append(
            FloorRow(
                task=row.text("task"),
                split=row.text("split"),
                protocol=row.text("protocol"),
                samples=int(row.seconds("samples")),
                floor=row.text("floor"),
                metric=row.text("metric"),
                value=row.seconds("value"),
                text=row.text("value"),
            )
        )
    return tuple(floors)


def floors_text(registry: Registry, benchmarks: Collection[Benchmark], root: Path) -> str:
    """Return the file's text, for all tasks whose annotations are under `root`."""
    rows = []
    for benchmark in sorted(benchmarks, key=lambda b: b.task):
        if benchmark.task:
            rows += list(_rows(registry, registry.task(benchmark.task), benchmark, root))
    return csv_text(COLUMNS, [{**row, CHECK: row_check(row)} for row in rows])


def _rows(
    registry: Registry, task: Task, benchmark: Benchmark, root: Path
) -> Iterator[dict[str, str]]:
    for split in (s.name for s in task.card.splits if s.name in benchmark.splits):
        protocol = registry.protocol_for(task.card, split=split)
        try:
            samples = read_split(task, root, split)
        except MissingFileError:
            continue
        for floor in task_floors(task, root, split, samples, protocol):
            for metric in floor.headline:
                if metric in benchmark.metrics and math.isfinite(floor.metrics[metric]):
                    yield {
                        "task": task.card.name,
                        "split": split,
                        "protocol": protocol.name,
                        "samples": str(len(samples)),
                        "floor": floor.name,
                        "metric": metric,
                        "value": f"{floor.metrics[metric]:.1f}",
                    }


def main() -> None:
    """Write the file named by the first argument, from the data root in the second."""
    path, root = map(Path, sys.argv[1:3])
    registry = Registry.discover()
    published = load_published(path.parent, registry.tasks, registry.protocols, signed=False)
    write_text(path, floors_text(registry, published.benchmarks.values(), root))


if __name__ == "__main__":
    main()
