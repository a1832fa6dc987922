"""What the tests of tasks share: empty video files, scores under a named protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.registry import Registry
from vtg_eval.scoring.score import Score, score
from vtg_eval.task import Task
from vtg_eval.types import Prediction, Sample

REGISTRY = Registry.discover()


def touch(path: Path) -> Path:
    """Make an empty file and the folders above it; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def score_under(
    protocol: str, task: Task, split: str, samples: Sequence[Sample], answers: Sequence[Prediction]
) -> Score:
    """Score answers under the named protocol as it resolves for the task and split."""
    rules = REGISTRY.protocol_for(task.card, protocol, split)
    return score(task.card, samples, answers, rules, split)
