"""Runs a study, from its trainings to its tables; an interrupted study resumes.

The start checkpoint comes first, then the tries of each arm, then each arm with its best try and
every seed. Each training has a folder of its own, which one process at a time can use. A second
process with the same command runs the trainings that no other process is running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vtg_eval.files.atomic import write_text
from vtg_eval.files.owned_folder import FolderInUse, lock_folder, refuse_strangers
from vtg_eval.registry import Registry
from vtg_eval.run.results import TaskResults

from ..data.task_data import with_task_data
from ..evaluation import START as UNTRAINED
from ..evaluation import TRAINED, evaluation_results
from ..pipeline import log, run_stages
from ..plan.plan import plan
from ..recipe import Recipe, recipe_text
from ..workspace import Workspace, curate_data
from .plan import ONE_PROCESS
from .report import SCORES, TRAININGS, TRIES, Figures, study_page
from .scores import collect, write_scores
from .shared_sft import take_over_sft
from .study import START, Study, Training
from .trainings import training_facts, write_trainings
from .tuning import TryScore, chosen_tries, try_score, write_tries

KIND = "folder of this study"
REPORT = "report.md"


def run_study(study: Study, folder: Path, registry: Registry) -> Path:
    """Run and score the unfinished trainings of a study, then write its report; returns its path.

    Raises FolderInUse where other processes run the last trainings, UserError where a training
    fails and where the folder holds something else, KeyboardInterrupt when it is interrupted.
    """
    marker = _marker(study, folder)
    if folder.is_dir():
        refuse_strangers(marker, KIND)
    runner = _Runner(study, folder, registry)
    runner.make_start()
    tries = list(study.tuning_trainings())
    runner.run(tries)
    tried = [try_score(training, _results(training, folder)) for training in tries]
    trainings = list(study.trainings(chosen_tries(tried)))
    runner.run(trainings)
    with lock_folder(marker, KIND):
        figures = runner.figures(trainings, tried)
        write_scores(folder / SCORES, figures.scores)
        write_tries(folder / TRIES, figures.tries)
        write_trainings(folder / TRAININGS, figures.trainings)
        write_text(folder / REPORT, study_page(study, figures))
    return folder / REPORT


class _Runner:
    """Runs trainings, each in its folder below the study's."""

    def __init__(self, study: Study, folder: Path, registry: Registry) -> None:
        self._start, self._folder, self._registry = study.start, folder, registry

    def make_start(self) -> None:
        """Make the start checkpoint of all arms, where the study makes one."""
        if self._start is not None and not _finished(self._folder / START):
            log("the start checkpoint")
            try:
                self._train(self._start, self._folder / START, ())
            except FolderInUse as exc:
                raise _wait_for([START]) from exc

    def run(self, trainings: Sequence[Training]) -> None:
        """Run the unfinished trainings; raises FolderInUse while other processes run the last."""
        folders = [self._folder / training.name for training in trainings]
        for number, training in enumerate(trainings):
            if not _finished(folders[number]):
                log(f"training {number + 1} of {len(trainings)}: {training.name}")
                try:
                    self._train(self._started(training.recipe), folders[number], folders[:number])
                except FolderInUse:
                    log(f"{training.name}: another process is running it")
        unfinished = [folder.name for folder in folders if not _finished(folder)]
        if unfinished:
            raise _wait_for(unfinished)

    def figures(self, trainings: Sequence[Training], tries: Sequence[TryScore]) -> Figures:
        """Return all that the page is made of, from the files of finished trainings."""
        results = [_results(training, self._folder) for training in trainings]
        arms, seeds = [t.arm.name for t in trainings], [t.seed for t in trainings]
        facts = [
            training_facts(t, Workspace(self._started(t.recipe), self._folder / t.name), scored)
            for t, scored in zip(trainings, results, strict=True)
        ]
        return Figures(collect(arms, seeds, results), tries, facts)

    def _started(self, recipe: Recipe) -> Recipe:
        """Return an arm's recipe with the start checkpoint that this study made."""
        if self._start is None:
            return recipe
        checkpoint = Workspace(self._start, self._folder / START).sft / "checkpoint"
        return replace(recipe, model=replace(recipe.model, checkpoint=str(checkpoint)))

    def _train(self, recipe: Recipe, out: Path, before: Sequence[Path]) -> None:
        """Run a training in its folder. before: folders that may have its cold start."""
        with Workspace(recipe, out).lock():
            file = out / "recipe.toml"
            if not file.is_file():  # `run_stages` refuses a folder with another recipe's work
                write_text(file, recipe_text(recipe))
            workspace = Workspace(with_task_data(recipe, self._registry, videos=True), out)
            curate_data(workspace, self._registry)
            any(take_over_sft(workspace, other, self._registry) for other in before)
            planned = plan(workspace.recipe, ONE_PROCESS, str(file), str(out), self._registry)
            run_stages(workspace, planned, self._registry)


def _wait_for(names: Sequence[str]) -> FolderInUse:
    return FolderInUse(
        f"Other processes are at work on {', '.join(names)}. Run the same command again when they "
        "are finished."
    )


def _finished(folder: Path) -> bool:
    return (folder / "report.md").is_file()


def _marker(study: Study, folder: Path) -> Path:
    """Return a training's folder, which marks the study's folder; new arms may lack theirs."""
    trainings = [*study.tuning_trainings(), *study.trainings({})]
    folders = [folder / name for name in (START, *(t.name for t in trainings))]
    return next((path for path in folders if path.exists()), folders[0])


def _results(training: Training, folder: Path) -> Sequence[TaskResults]:
    """Return the scores of a trained checkpoint, of the start checkpoint for an untrained arm."""
    name = TRAINED if training.arm.trains else UNTRAINED
    workspace = Workspace(training.recipe, folder / training.name)
    return [dict(pairs)[name] for pairs in evaluation_results(workspace)]
