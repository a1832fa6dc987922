"""A model and its engine, answering the videos of runs: in this process, or as a worker's work."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from vtg_eval.engines.base import Engine
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.errors import EngineError
from vtg_eval.registry import Registry
from vtg_eval.run.inference import EngineCache, run_inference
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import installed_versions
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.requests import RequestBuilder, SampleContext
from vtg_eval.run.setup import Model, RunOptions, RunSetup, find_model, make_setup
from vtg_eval.run.spec import RunSpec
from vtg_eval.types import Sample

NO_TOKENS = Tokens()
Started = Callable[[Mapping[str, Any]], None]
Keep = Callable[[Record], None]


class Evaluation:
    """Answers videos with one checkpoint and one engine; must be closed."""

    def __init__(self, options: RunOptions, model: Model, registry: Registry) -> None:
        self.model = model
        self._options = options
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
        setup: RunSetup,
        samples: Sequence[Sample],
        jobs: Iterable[VideoJob],
        started: Started,
        keep: Keep,
        folder: Path,
        spent: Tokens = NO_TOKENS,
    ) -> None:
        """Answer the videos of a run.

        samples: all that are asked in the run. started: takes `Engine.describe()` before the first
        answer. keep: takes each record. folder: of the run. spent: see `EngineCache.engine`. Raises
        UserError where the run cannot go on, EngineError where the engine fails.
        """

        def start() -> Engine:
            engine = self._engines.engine(setup.spec.protocol.generation, spent)
            started(engine.describe())
            return engine

        self.model.adapter.begin(samples)
        decoder = self._registry.decoder(self._options.decoder)()
        builder = RequestBuilder(self.model.adapter, decoder, limit=self._options.frames_limit)
        context = SampleContext(setup.spec.protocol, partial(setup.task.subtitles, setup.root))
        explain, workers = self._registry.report_error, self._options.decode_workers
        stream = builder.stream(jobs, lambda sample: context, explain, workers)
        with closing(stream):
            run_inference(stream, start, keep, folder, self._registry.explain)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A run of which a worker answers videos.

    versions: of the packages that can change an answer. samples: all that are asked in the run.
    """

    spec: RunSpec
    versions: Mapping[str, str]
    samples: tuple[Sample, ...]
    folder: Path


class EvaluationWork:
    """The work of a worker process, which finds model and task by itself."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._registry = Registry.discover()
        self._model = find_model(options, self._registry)
        self._evaluation = Evaluation(options, self._model, self._registry)

    def answer(
        self, assignment: Assignment, jobs: Iterator[VideoJob], started: Started, keep: Keep
    ) -> None:
        """As `worker.Work.answer`; raises EngineError where answers would not be the run's."""
        spec = assignment.spec
        options = replace(self._options, split=spec.split, transformation=spec.transformation)
        setup = make_setup(options, self._model, spec.task, self._registry)
        _check_same(
            {**setup.spec.to_json(), **installed_versions()},
            {**spec.to_json(), **assignment.versions},
        )
        # the folder of the run may not be on this machine
        folder = assignment.folder if assignment.folder.is_dir() else Path(gettempdir())
        self._evaluation.answer(setup, assignment.samples, jobs, started, keep, folder)

    def close(self) -> None:
        """Stop the engine."""
        self._evaluation.close()


def _check_same(here: Mapping[str, Any], of_run: Mapping[str, Any]) -> None:
    """Raise EngineError where a machine has another checkpoint, annotations or versions."""
    names = sorted(
        name for name in here.keys() | of_run.keys() if here.get(name) != of_run.get(name)
    )
    if names:
        raise EngineError(
            f"On {socket.gethostname()} these are not what they are where the run was started: "
            f"{', '.join(names)}. Make them the same."
        )
