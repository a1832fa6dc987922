"""A model on tasks, from videos to scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Unpack

from vtg_eval.api.runs import Run, read_run
from vtg_eval.api.settings import RunSettings, checked, run_options, task_names
from vtg_eval.doctor.before_run import RunTimes
from vtg_eval.registry import Registry
from vtg_eval.run.paths import RUNS_FOLDER
from vtg_eval.run.plan import Plan
from vtg_eval.run.runner import Outcome, Runner
from vtg_eval.run.setup import RunOptions, RunSetup, resolve_task


def evaluate(
    model: str | Path,
    tasks: str | Sequence[str],
    *,
    out: str | Path | None = None,
    unchecked_times: bool = False,
    **settings: Unpack[RunSettings],
) -> tuple[Run, ...]:
    """Run a model on tasks and return the finished runs, in the order of the tasks.

    As `vtg-eval run`: each answer is kept at once, and the same call again finishes what is
    missing. tasks: names, or one text with commas. out: the run's folder (several tasks: a
    sub-folder each; None: below ./runs). settings: see `vtg_eval.api.settings.RunSettings`. Raises
    UserError for a mistake in the arguments or the files, and where the engine fails;
    KeyboardInterrupt where it is interrupted. Samples that fail count as the protocol says;
    `Run.results.failures` has their number.

    >>> (run,) = evaluate("nano", "synth_vtg", engine="transformers")  # doctest: +SKIP
    >>> run.metrics["mIoU"]  # doctest: +SKIP
    69.7
    """
    names = task_names(tasks)
    options = run_options(str(model), checked(settings))
    registry = Registry.discover()
    folder = None if out is None else Path(out)
    with TaskRuns(options, names, folder, registry, unchecked_times) as runs:
        finished = []
        for run, outcome in runs.outcomes():
            if outcome.interrupted:
                raise KeyboardInterrupt
            root, results = run.setup.root, outcome.results
            finished.append(read_run(outcome.folder, registry, root, results=results))
    return tuple(finished)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run on one task before it starts: its setup, its folder, and what is left to do."""

    setup: RunSetup
    folder: Path
    plan: Plan


class TaskRuns:
    """The runs of one model on some tasks, one after the other, with one engine.

    A context manager: it stops the engines. Where a shard is asked for, each run is that shard's.
    """

    def __init__(
        self,
        options: RunOptions,
        tasks: Sequence[str],
        out: Path | None,
        registry: Registry,
        unchecked_times: bool = False,
    ) -> None:
        """Find the mistakes that would end a run, before the first starts; raises UserError."""
        for name in tasks:
            resolve_task(options, name, registry)
        self.runner = Runner(options, registry, RunTimes(registry, unchecked_times))
        try:
            setups = [self.runner.setup(name) for name in tasks]
            folders = [_folder(out, setup, len(setups)) for setup in setups]
            if options.shard is not None:
                folders = [options.shard.folder(folder) for folder in folders]
            plans = self.runner.preflight(setups, folders)
        except BaseException:
            self.runner.close()
            raise
        self.runs = tuple(map(TaskRun, setups, folders, plans))

    def outcomes(self) -> Iterator[tuple[TaskRun, Outcome]]:
        """Run one task after the other; the last one may have been interrupted."""
        for run in self.runs:
            outcome = self.runner.run(run.setup, run.folder)
            yield run, outcome
            if outcome.interrupted:
                return

    def __enter__(self) -> TaskRuns:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.close()


def _folder(out: Path | None, setup: RunSetup, setups: int) -> Path:
    if out is None:
        return RUNS_FOLDER / setup.spec.folder_name
    return out if setups == 1 else out / setup.spec.task
