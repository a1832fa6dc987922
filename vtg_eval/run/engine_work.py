"""The work of a worker that has an engine: only on what the run is of."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Generic, TypeVar

from vtg_eval.errors import EngineError
from vtg_eval.registry import Registry
from vtg_eval.run.executor import Assignment, Keep, LocalExecutor, Questions, Started
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.setup import RunOptions, find_model
from vtg_eval.run.usage import UsageMeter

A = TypeVar("A", bound=Assignment)


class EngineWork(ABC, Generic[A]):
    """Answers videos in a worker's process; it finds the model by itself."""

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self.registry = Registry.discover()
        self.model = find_model(options, self.registry)
        self._executor = LocalExecutor(options, self.model, self.registry)

    @abstractmethod
    def questions(self, assignment: A) -> Questions:
        """Return what is asked; raises EngineError where answers would not be the run's."""

    def answer(
        self,
        assignment: A,
        jobs: Iterator[VideoJob],
        started: Started,
        keep: Keep,
        meter: UsageMeter,
    ) -> None:
        """As `worker.Work.answer`; raises EngineError as `questions` does."""
        questions = self.questions(assignment)
        # the folder of the run may not be on this machine
        folder = assignment.folder if assignment.folder.is_dir() else Path(gettempdir())
        self._executor.answer(questions, jobs, started, keep, folder, meter)

    def close(self) -> None:
        """Stop the engine."""
        self._executor.close()


def check_same(here: Mapping[str, Any], of_run: Mapping[str, Any]) -> None:
    """Raise EngineError where a machine has another checkpoint, annotations or versions."""
    names = sorted(
        name for name in here.keys() | of_run.keys() if here.get(name) != of_run.get(name)
    )
    if names:
        raise EngineError(
            f"On {socket.gethostname()} these are not what they are where the run was started: "
            f"{', '.join(names)}. Make them the same."
        )
