"""What is installed, and the samples of a benchmark."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.annotations.split import read_split
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root as find_data_root
from vtg_eval.task import Card
from vtg_eval.types import Sample


def list_tasks(registry: Registry | None = None) -> tuple[Card, ...]:
    """Return the card of each installed benchmark; no data is read."""
    registry = registry or Registry.discover()
    return tuple(registry.task(name).card for name in registry.tasks)


def samples(
    task: str,
    *,
    split: str | None = None,
    data_root: str | Path | None = None,
    registry: Registry | None = None,
) -> tuple[Sample, ...]:
    """Return a task's samples in the order of the annotation, as `vtg-eval samples TASK`.

    split: None is the task's default. Raises UserError where the annotations are missing or broken.
    """
    registry = registry or Registry.discover()
    benchmark = registry.task(task)
    root = find_data_root(benchmark, Path(data_root) if data_root else None)
    return read_split(benchmark, root, benchmark.card.split(split))
