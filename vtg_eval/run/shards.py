"""Shards: a run divided among processes that need not know of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapreplace
from pathlib import Path

SHARDS = "shards"  # the folder of a run's shards, in the run's own


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number`, counted from 1, of a run in `of` parts."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def folder(self, run: Path) -> Path:
        """Return the shard's folder in that of the run."""
        return run / SHARDS / f"{self.number}-of-{self.of}"


def run_of(shard: Path) -> Path | None:
    """Return the folder of the run that has a shard's folder, None where none has it."""
    return shard.parent.parent if shard.parent.name == SHARDS else None


def divided(weights: Sequence[float], parts: int) -> list[int]:
    """Return the part, from 0, of each item: the heaviest first, each to the lightest part.

    Among equals the first is taken, so the same weights are divided in the same way everywhere.
    """
    lightest = [(0.0, part) for part in range(parts)]  # a heap
    chosen = [0] * len(weights)
    for item in sorted(range(len(weights)), key=lambda item: -weights[item]):
        load, part = lightest[0]
        chosen[item] = part
        heapreplace(lightest, (load + weights[item], part))
    return chosen
