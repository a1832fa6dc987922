"""What each training of a study spent and how it went, and the file of these figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.run.results import TaskResults

from ..data.sample import load_samples
from ..data.selection import constant
from ..trainers.cut_answers import LIMIT
from ..workspace import Workspace
from .study import Training

CUT, CONSTANT, SECONDS = "answers_cut", "constant_groups", "seconds"  # columns of a stage's log
DIGITS = 4

Log = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """One training. Shares are 0 to 1; None: it has no such stage.

    sft_samples, rl_prompts: that it learnt from. rated_answers: for difficulty; rated_constant: the
    share of rated samples whose answers all have one reward; rated_well_formed: the share of these
    answers that the parser reads; selected: how many samples RL chose from. rl_answers: of RL;
    rl_constant, rl_cut: the shares of groups without variance and of answers cut at the limit, over
    all steps; rl_cut_steps: steps with more than 20 % cut. test_well_formed: the share of test
    answers that the parser reads. seconds: of the steps of SFT and RL.
    """

    arm: str
    seed: int
    sft_samples: int
    rated_answers: int
    rated_constant: float | None
    rated_well_formed: float | None
    selected: int | None
    rl_prompts: int
    rl_answers: int
    rl_constant: float | None
    rl_cut: float | None
    rl_cut_steps: int | None
    test_well_formed: float
    seconds: float


COLUMNS = tuple(field.name for field in fields(TrainingFacts))


def training_facts(
    training: Training, workspace: Workspace, results: Sequence[TaskResults]
) -> TrainingFacts:
    """Read a finished training's files. results: its scores on the test splits."""
    sft, rl = training.recipe.sft, training.recipe.rl
    sft_log, rl_log = _log(workspace.sft), _log(workspace.rounds[0].rl)
    path = workspace.rounds[0].difficulty
    rated = [s.difficulty for s in load_samples([path]) if s.difficulty] if path.is_file() else []
    chooses = rl is not None and bool(rated)
    return TrainingFacts(
        arm=training.arm.name,
        seed=training.seed,
        sft_samples=sft.steps * sft.batch if sft else 0,
        rated_answers=sum(len(d.rewards) for d in rated),
        rated_constant=_mean(constant([d.rewards for d in rated]).tolist()),
        rated_well_formed=_mean([1 - d.parse_failures for d in rated]),
        selected=len(workspace.rounds[0].selected().samples) if chooses else None,
        rl_prompts=rl.steps * rl.prompts if rl else 0,
        rl_answers=rl.steps * rl.prompts * rl.group if rl else 0,
        rl_constant=_mean([step[CONSTANT] for step in rl_log]),
        rl_cut=_mean([step[CUT] for step in rl_log]),
        rl_cut_steps=sum(step[CUT] > LIMIT for step in rl_log) if rl_log else None,
        test_well_formed=_mean([bool(s.spans) for r in results for s in r.samples]) or 0.0,
        seconds=round(sum(step[SECONDS] for step in (*sft_log, *rl_log)), 1),
    )


def write_trainings(path: Path, trainings: Iterable[TrainingFacts]) -> None:
    """Write the file; raises UserError where writing fails."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, trainings))
    write_text(path, text.getvalue())


def read_trainings(path: Path) -> list[TrainingFacts]:
    """Read the file; raises UserError for a malformed one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
        return msgspec.convert(rows, list[TrainingFacts], strict=False)
    except (OSError, ValueError) as exc:
        raise UserError(f"{path} does not hold a study's trainings: {exc}") from exc


def _log(folder: Path) -> Log:
    path = folder / "log.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _mean(values: Sequence[float] | Sequence[bool]) -> float | None:
    return round(float(np.mean(values)), DIGITS) if len(values) else None
