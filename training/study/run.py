"""Runs a study, from its trainings to its tables; an interrupted study resumes.

Each training has a folder of its own, which one process at a time can use. A second process with
the same command runs the trainings that no other process is running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from vtg_eval.files.atomic import write_text
from vtg_eval.files.owned_folder import FolderInUse, lock_folder, refuse_strangers
from vtg_eval.registry import Registry

from ..data.task_data import with_task_data
from ..evaluation import START, TRAINED, evaluation_results
from ..pipeline import log, run_stages
from ..plan.plan import plan
from ..recipe import recipe_text
from ..workspace import Workspace
from .plan import ONE_PROCESS
from .report import study_report
from .scores import Scores, collect, write_scores
from .study import Study, Training

KIND = "folder of this study"
SCORES, REPORT, DIGESTS = "scores.csv", "report.md", "logs.sha256"
LOGS = (
    "sft/log.jsonl",
    "difficulty*/difficulty.jsonl",  # one of each round of RL
    "rl*/log.jsonl",
    "evaluation/*/*/journal.jsonl",
)


def run_study(study: Study, folder: Path, registry: Registry) -> Path:
    """Run and score the unfinished trainings of a study, then write its report; returns its path.

    Raises FolderInUse where other processes run the last trainings, UserError where a training
    fails and where the folder holds something else, KeyboardInterrupt when it is interrupted.
    """
    trainings = list(study.trainings())
    if folder.is_dir():
        refuse_strangers(_marker(trainings, folder), KIND)
    for number, training in enumerate(trainings, 1):
        if not _report(training, folder).is_file():
            log(f"training {number} of {len(trainings)}: {training.name}")
            try:
                _train(training, folder, registry)
            except FolderInUse:
                log(f"{training.name}: another process is running it")
    unfinished = [t.name for t in trainings if not _report(t, folder).is_file()]
    if unfinished:
        raise FolderInUse(
            f"Other processes are at work on {', '.join(unfinished)}. Run the same command again "
            "when they are finished: it makes the tables."
        )
    with lock_folder(_marker(trainings, folder), KIND):
        scores = _scores(trainings, folder)
        write_scores(folder / SCORES, scores)
        write_text(folder / DIGESTS, "".join(_digests(trainings, folder)))
        report = folder / REPORT
        write_text(report, study_report(study, scores))
    return report


def _marker(trainings: Sequence[Training], folder: Path) -> Path:
    """Return a training's folder, which marks the study's folder; new arms may lack theirs."""
    folders = [folder / training.name for training in trainings]
    return next((path for path in folders if path.exists()), folders[0])


def _train(training: Training, folder: Path, registry: Registry) -> None:
    out = folder / training.name
    with Workspace(training.recipe, out).lock():
        file = out / "recipe.toml"
        if not file.is_file():  # `run_stages` refuses a folder with another recipe's work
            write_text(file, recipe_text(training.recipe))
        recipe = with_task_data(training.recipe, registry, videos=True)
        planned = plan(recipe, ONE_PROCESS, str(file), str(out), registry)
        run_stages(Workspace(recipe, out), planned, registry)


def _scores(trainings: list[Training], folder: Path) -> Scores:
    """Collect the scores of the trained checkpoints, of the start checkpoint for untrained arms."""
    results = []
    for training in trainings:
        name = TRAINED if training.arm.trains else START
        workspace = Workspace(training.recipe, folder / training.name)
        results.append([dict(pairs)[name] for pairs in evaluation_results(workspace)])
    return collect([t.arm.name for t in trainings], [t.seed for t in trainings], results)


def _digests(trainings: list[Training], folder: Path) -> Iterator[str]:
    """Yield a line for each log and journal, in the format of `sha256sum -c`."""
    for training in trainings:
        for pattern in LOGS:
            for path in sorted((folder / training.name).glob(pattern)):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                yield f"{digest}  {path.relative_to(folder).as_posix()}\n"


def _report(training: Training, folder: Path) -> Path:
    return folder / training.name / "report.md"
