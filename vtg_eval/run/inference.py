"""Inference: the engine of a run and its requests, until all are answered or it is stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.console.streams import warn
from vtg_eval.console.text import error_line, traceback_text
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.errors import ContractError, EngineError, UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.journal import Record
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.run.requests import probe_request
from vtg_eval.run.setup import Model

ERROR_FILE = "engine-error.txt"
FINISH_LATER = "The answers so far are kept; run the same command again to finish."
NO_TOKENS = Tokens()
MOST_IMAGES = 1024  # in one prompt, where frames travel as images


class EngineCache:
    """Keeps the running engine; another generation rule starts another engine."""

    def __init__(self, registry: Registry, model: Model, options: EngineOptions) -> None:
        self._registry = registry
        self._model = model
        self._options = options_for(model.checkpoint, model.adapter, options)
        self._rule: GenerationRule | None = None
        self._engine: Engine | None = None
        self._folder = model.checkpoint.path or Path()
        self._checked = False

    def check(self) -> None:
        """Find what is wrong with the checkpoint before any video is read; raises UserError."""
        if not self._checked:
            probe = partial(probe_request, self._model.adapter)
            self._make().check(self._folder, self._options, probe)
        self._checked = True

    def engine(self, rule: GenerationRule, spent: Tokens = NO_TOKENS) -> Engine:
        """Return the running engine for that rule; raises UserError where it cannot start.

        spent: tokens that count in a server's budget, besides those of the running engine.
        """
        if self._engine is None or self._rule != rule:
            self.close()
            options = self._options
            if options.server is not None:
                options = replace(options, server=replace(options.server, spent=spent))
            self._engine = self._make()(self._folder, rule, options)
            self._rule = rule
        return self._engine

    def close(self) -> None:
        """Stop the engine, if one runs."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            engine.close()
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # the answers are on disk: nothing is lost
            warn(f"the engine failed to stop: {self._registry.explain(exc)}")

    def _make(self) -> type[Engine]:
        engine: type[Engine] = self._registry.engine(self._model.engine)
        return engine


def options_for(checkpoint: Checkpoint, adapter: Adapter, options: EngineOptions) -> EngineOptions:
    """Return a user's options with what the checkpoint and its adapter need of the engine."""
    images = MOST_IMAGES if adapter.media == "images" else 0
    server = checkpoint.server
    if server is not None:
        server = replace(server, time_text=adapter.time_text)
    return replace(options, images=images, lora=checkpoint.lora, server=server)


def run_inference(
    stream: RequestStream,
    start: Callable[[], Engine],
    keep: Callable[[Record], None],
    folder: Path,
    explain: Callable[[BaseException], str] = error_line,
) -> None:
    """Send all requests of the stream to the engine and `keep` each record at once.

    The engine is started only where there is a request. Raises UserError where the run cannot go
    on, EngineError where the engine failed: the records so far stay, and the engine's traceback
    is in `folder`. explain: returns an exception as one line.
    """
    first = next(stream, None)
    for record in stream.take_failed():
        keep(record)
    if first is not None:
        _generate(chain([first], stream), stream, start, keep, folder, explain)
    if stream.fatal is not None:
        raise stream.fatal
    for record in chain(stream.take_failed(), stream.unanswered()):
        keep(record)


def _generate(
    requests: Iterator[Request],
    stream: RequestStream,
    start: Callable[[], Engine],
    keep: Callable[[Record], None],
    folder: Path,
    explain: Callable[[BaseException], str],
) -> None:
    try:
        for completion in _completions(start(), requests):
            keep(stream.answer(completion))
            for record in stream.take_failed():
                keep(record)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as exc:  # an engine may raise anything; the user gets one line
        write_text(folder / ERROR_FILE, traceback_text(exc))
        raise EngineError(
            f"The engine failed: {explain(exc)} (more in {folder / ERROR_FILE}). {FINISH_LATER}"
        ) from exc


def _completions(engine: Engine, requests: Iterator[Request]) -> Iterator[Completion]:
    """Yield what an engine generates; raises ContractError for anything but completions."""
    completions: object = engine.generate(requests)
    if not isinstance(completions, Iterable):
        raise ContractError(engine, f"generate returned {type(completions).__name__}")
    for completion in completions:
        if not isinstance(completion, Completion):
            raise ContractError(engine, f"generate gave {type(completion).__name__}, no Completion")
        yield completion


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
