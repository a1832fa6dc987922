"""The scores of a study's trainings, sample by sample, and their file.

scores.csv has a row for each sample and a column for each training, headed ARM:SEED, with the
sample's value of the primary metric, 0 to 1. All tables of a study are computed from this file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.run.results import TaskResults
from vtg_eval.statistics.bootstrap import Floats

KEYS = ("split", "id", "video")
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Scores:
    """splits, ids, videos: of the N samples; arms, seeds: of the T trainings; values: [T, N]."""

    splits: tuple[str, ...]
    ids: tuple[str, ...]
    videos: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Floats

    def of(self, arm: str) -> Floats:
        """Return an arm's values, [S, N], one row for each of its seeds."""
        return self.values[[row for row, name in enumerate(self.arms) if name == arm]]


def collect(
    arms: Sequence[str], seeds: Sequence[int], results: Sequence[Sequence[TaskResults]]
) -> Scores:
    """Collect the results of T trainings, each a sequence with one entry for each task.

    A missing value counts 0. Raises UserError where trainings were not scored on the same samples.
    """
    rows = [[(r.split, s.id, s.video) for r in tasks for s in r.samples] for tasks in results]
    if any(row != rows[0] for row in rows):
        raise UserError("The trainings of this study were not scored on the same samples.")
    values: Floats = np.array(
        [[s.value or 0.0 for r in tasks for s in r.samples] for tasks in results], dtype=np.float64
    )
    splits, ids, videos = zip(*rows[0], strict=True)
    return Scores(splits, ids, videos, tuple(arms), tuple(seeds), values.round(DIGITS))


def write_scores(path: Path, scores: Scores) -> None:
    """Write the file; raises UserError where writing fails."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*KEYS, *(f"{a}:{s}" for a, s in zip(scores.arms, scores.seeds, strict=True))])
    keys = zip(scores.splits, scores.ids, scores.videos, strict=True)
    for key, values in zip(keys, scores.values.T, strict=True):
        writer.writerow([*key, *(f"{value:.{DIGITS}g}" for value in values)])
    write_text(path, text.getvalue())


def read_scores(path: Path) -> Scores:
    """Read the file; raises UserError for a malformed one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            headers, *rows = csv.reader(file)
        if tuple(headers[:3]) != KEYS or not rows:
            raise ValueError("its first columns are not split, id and video")
        arms, seeds = zip(*(header.rsplit(":", 1) for header in headers[3:]), strict=True)
        splits, ids, videos, *columns = zip(*rows, strict=True)
        values = np.array(columns, dtype=np.float64)
        return Scores(splits, ids, videos, arms, tuple(map(int, seeds)), values)
    except (OSError, ValueError) as exc:
        raise UserError(f"{path} does not hold a study's scores: {exc}") from exc
