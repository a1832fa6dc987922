"""The work of a worker that has an engine: only on what the run is of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Generic, TypeVar

from vtg_eval.registry import Registry
from vtg_eval.run.executor import Assignment, Keep, LocalExecutor, Questions, Started
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.ray_decoders import RayDecoders
from vtg_eval.run.setup import RunOptions, find_model
from vtg_eval.run.usage import UsageMeter
from vtg_eval.video.decoder import read_here

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
        read = read_here
        if self.options.ray_decoders is not None:
            name = self.options.decoder
            read = RayDecoders(name, self.registry.decoder(name)(), meter)
        self._executor.answer(questions, jobs, started, keep, folder, meter, read=read)

    def close(self) -> None:
        """Stop the engine."""
        self._executor.close()
