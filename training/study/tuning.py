"""The tries of each arm: their scores, and the choice of the best."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.run.results import TaskResults

from .study import Training

COLUMNS = ("arm", "try", "score")
DIGITS = 6


class TryScore(NamedTuple):
    """The mean score of an arm's try, 0 to 1."""

    arm: str
    tried: str
    score: float


def try_score(training: Training, results: Sequence[TaskResults]) -> TryScore:
    """Return the mean of the samples' values over all tasks; a missing value counts 0."""
    values = [sample.value or 0.0 for task in results for sample in task.samples]
    return TryScore(training.arm.name, training.tried, round(float(np.mean(values)), DIGITS))


def chosen_tries(scores: Iterable[TryScore]) -> Mapping[str, str]:
    """Return the name of each arm's best try; of equal ones the first."""
    best: dict[str, TryScore] = {}
    for score in scores:
        if score.arm not in best or score.score > best[score.arm].score:
            best[score.arm] = score
    return {arm: score.tried for arm, score in best.items()}


def write_tries(path: Path, scores: Iterable[TryScore]) -> None:
    """Write the file; raises UserError where writing fails."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *scores])
    write_text(path, text.getvalue())


def read_tries(path: Path) -> list[TryScore]:
    """Read the file; raises UserError for a malformed one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        return [TryScore(arm, tried, float(score)) for arm, tried, score in rows]
    except (OSError, ValueError) as exc:
        raise UserError(f"{path} does not hold a study's tries: {exc}") from exc
