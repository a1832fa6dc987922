"""A study from its first training to its tables, in pieces that resume.

Every training has a folder of its own, and is one process's at a time: the same command, started
again beside itself, takes the trainings that no other process has in work.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vtg_eval.files.atomic import write_text
from vtg_eval.files.owned_folder import FolderInUse, lock_folder, refuse_strangers
from vtg_eval.registry import Registry

from ..data.task_data import with_task_data
from ..evaluation import START, TRAINED, evaluation_results
from ..pipeline import run_stages
from ..plan.plan import plan
from ..recipe import recipe_text
from ..workspace import Workspace
from .plan import ONE
from .report import study_report
from .scores import Scores, collect, write_scores
from .study import Study, Training

KIND = "folder of this study"
SCORES, REPORT, DIGESTS = "scores.csv", "report.md", "logs.sha256"
LOGS = (
    "sft/log.jsonl",
    "difficulty/difficulty.jsonl",
    "rl/log.jsonl",
    "evaluation/*/*/journal.jsonl",
)


def run_study(study: Study, folder: Path, registry: Registry) -> Path:
    """Train and score what is missing of a study, then write its tables; returns their path.

    Raises FolderInUse where what is left is in the hands of other processes, UserError where a
    training cannot go on and where the folder holds something else, KeyboardInterrupt where someone
    stops it.
    """
    trainings = list(study.trainings())
    if folder.is_dir():
        refuse_strangers(_marker(trainings, folder), KIND)
    for number, training in enumerate(trainings, 1):
        if not _report(training, folder).is_file():
            _say(f"training {number} of {len(trainings)}: {training.name}")
            try:
                _train(training, folder, registry)
            except FolderInUse:
                _say(f"{training.name}: another process is at it")
    left = [training.name for training in trainings if not _report(training, folder).is_file()]
    if left:
        raise FolderInUse(
            f"Other processes are at work on {', '.join(left)}. The same command makes the tables "
            "when they are done."
        )
    with lock_folder(_marker(trainings, folder), KIND):
        scores = _scores(trainings, folder)
        write_scores(folder / SCORES, scores)
        write_text(folder / DIGESTS, "".join(_digests(trainings, folder)))
        report = folder / REPORT
        write_text(report, study_report(study, scores))
    return report


def _marker(trainings: Sequence[Training], folder: Path) -> Path:
    """Return what shows that the folder is a study's: one of its trainings; a study may grow."""
    places = [folder / training.name for training in trainings]
    return next((place for place in places if place.exists()), places[0])


def _train(training: Training, folder: Path, registry: Registry) -> None:
    out = folder / training.name
    with Workspace(training.recipe, out).lock():
        file = out / "recipe.toml"
        if not file.is_file():  # what is trained by another recipe is found out, and kept, below
            write_text(file, recipe_text(training.recipe))
        recipe = with_task_data(training.recipe, registry, videos=True)
        planned = plan(recipe, ONE, str(file), str(out), registry)
        run_stages(Workspace(recipe, out), planned, registry)


def _scores(trainings: list[Training], folder: Path) -> Scores:
    """Put together the trained checkpoints' scores, the start's where nothing is trained."""
    found = []
    for training in trainings:
        name = TRAINED if training.arm.trains else START
        workspace = Workspace(training.recipe, folder / training.name)
        found.append([dict(pairs)[name] for pairs in evaluation_results(workspace)])
    return collect([t.arm.name for t in trainings], [t.seed for t in trainings], found)


def _digests(trainings: list[Training], folder: Path) -> Iterator[str]:
    """Yield a line for each log and journal, as `sha256sum -c` reads them."""
    for training in trainings:
        for pattern in LOGS:
            for path in sorted((folder / training.name).glob(pattern)):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                yield f"{digest}  {path.relative_to(folder).as_posix()}\n"


def _report(training: Training, folder: Path) -> Path:
    return folder / training.name / "report.md"


def _say(words: str) -> None:
    print(f"vtg-train: {words}", file=sys.stderr, flush=True)
