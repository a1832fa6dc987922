"""The executor: it has videos answered by one checkpoint, in this process or by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import Engine
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.inference import EngineCache, run_inference
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.pools import Pool, WorkFor, workers_of
from vtg_eval.run.requests import RequestBuilder, SampleContext
from vtg_eval.run.setup import Model, RunOptions
from vtg_eval.run.usage import UsageMeter
from vtg_eval.types import Sample
from vtg_eval.video.decoder import ReadFrames, read_here

NO_TOKENS = Tokens()
Started = Callable[[Mapping[str, Any]], None]
Keep = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked. samples: all that are asked; context: returns what a sample's request needs
    besides it; generation: of the answers.
    """

    samples: Sequence[Sample]
    context: Callable[[Sample], SampleContext]
    generation: GenerationRule


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker answers; it is pickled. folder: where the engine's traceback is written."""

    folder: Path


class LocalExecutor:
    """Answers videos with one checkpoint and one engine, in this process; must be closed."""

    def __init__(self, options: RunOptions, model: Model, registry: Registry) -> None:
        self._options = options
        self._model = model
        self._registry = registry
        self._engines = EngineCache(registry, model, options.engine_options)

    def check(self) -> None:
        """Find what is wrong with the checkpoint before any video is read; raises UserError."""
        self._engines.check()

    def close(self) -> None:
        """Stop the engine."""
        self._engines.close()

    def answer(
        self,
        questions: Questions,
        jobs: Iterable[VideoJob],
        started: Started,
        keep: Keep,
        folder: Path,
        meter: UsageMeter,
        spent: Tokens = NO_TOKENS,
        read: ReadFrames = read_here,
    ) -> None:
        """Answer the videos.

        started: takes `Engine.describe()` before the first answer. keep: takes each record. folder:
        gets the engine's traceback. spent: see `EngineCache.engine`. read: see `FrameStore`. Raises
        UserError where the run cannot go on, EngineError where the engine fails.
        """

        def start() -> Engine:
            engine = self._engines.engine(questions.generation, spent)
            meter.engine_runs()
            started(engine.describe())
            return engine

        self._model.adapter.begin(questions.samples)
        decoder = self._registry.decoder(self._options.decoder)()
        limit = self._options.frames_limit
        builder = RequestBuilder(self._model.adapter, decoder, limit=limit, meter=meter, read=read)
        explain, workers = self._registry.report_error, self._options.decode_workers
        stream = builder.stream(jobs, questions.context, explain, workers)
        with closing(stream):
            run_inference(stream, start, keep, folder, self._registry.explain)


class Executor:
    """Has videos answered where the options say: in this process, or by workers; must be closed.

    Workers, like the engine, stay from one call of `answer` to the next.
    """

    def __init__(
        self,
        options: RunOptions,
        model: Model,
        registry: Registry,
        work: WorkFor,
    ) -> None:
        """work: makes what a worker does; it is pickled. Raises UserError for devices that are
        not there.
        """
        self._local = LocalExecutor(options, model, registry)
        self._workers = workers_of(options, work)
        self._pool: Pool | None = None

    @property
    def processes(self) -> int:
        """How many processes have an engine."""
        return self._workers.processes if self._pool is None else self._pool.size

    @property
    def decode_workers(self) -> int:
        """How many threads decode in each process."""
        return self._workers.decode_workers

    def check(self) -> None:
        """Find what is wrong with the checkpoint before any video is read; raises UserError."""
        self._local.check()

    def close(self) -> None:
        """Stop the engines."""
        self._local.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def answer(
        self,
        questions: Questions,
        assignment: Assignment,
        jobs: Sequence[VideoJob],
        started: Started,
        keep: Keep,
        meter: UsageMeter,
        spent: Tokens = NO_TOKENS,
    ) -> None:
        """Answer the videos; returns when every sample has its record.

        questions: for the engine in this process. assignment: the same, for workers. The other
        arguments and the errors are those of `LocalExecutor.answer`.
        """
        if self._workers.start is None:
            self._local.answer(questions, jobs, started, keep, assignment.folder, meter, spent)
            return
        pool = self._pool = self._pool or self._workers.start()
        pool.run(
            replace(assignment, folder=assignment.folder.absolute()),
            Leases(jobs),
            lambda engine: started({**engine, "processes": pool.size}),
            keep,
            meter,
        )
