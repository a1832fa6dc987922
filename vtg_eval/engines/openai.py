"""OpenAI-compatible servers: many requests in flight, as many as the server can take."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from vtg_eval.engines.base import Completion, Engine, EngineOptions, Probe, Request
from vtg_eval.engines.generation import sample_seed
from vtg_eval.engines.server.options import IMAGES, ServerOptions, server_key
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule

try:
    from vtg_eval.engines.server.client import ChatClient
except ImportError as exc:
    raise ImportError(f'it needs the extra openai (README, "Install"): {exc}') from exc

# Fields of a request that are not the user's to set.
OUR_FIELDS = ("model", "messages", "stream", "n")
LIMIT, OLDER_LIMIT = "max_completion_tokens", "max_tokens"
CLOSE_SECONDS = 2.0

T = TypeVar("T")


class OpenAIEngine(Engine):
    """A model on a server. `options.extra` goes into each request's body; null leaves a field out.

    One background thread runs the event loop on which all requests are made.
    """

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        self._options = options
        self._server = _server(options)
        self._rule = rule
        self._fields = {"model": self._server.model, **_sampling(rule, options)}
        self._answer_tokens = _answer_tokens(self._fields)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()
        self._client = self._call(self._start()).result()

    @classmethod
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        """Raise UserError for options that a server does not take."""
        _server(options)
        if options.dtype != EngineOptions().dtype:
            raise UserError("The server decides on the model's dtype: leave out --dtype.")
        for name in OUR_FIELDS:
            if name in options.extra:
                raise UserError(f"--engine-arg {name} is set by vtg-eval: leave it out.")
        for name in (LIMIT, OLDER_LIMIT):
            value = options.extra.get(name)
            if name in options.extra and not (type(value) is int and value > 0):
                raise UserError(f"--engine-arg {name}={value}: it must be a whole number above 0.")

    @classmethod
    def check(cls, checkpoint: Path, options: EngineOptions, probe: Probe) -> None:
        """Raise UserError where no key is set but one is needed; sends nothing."""
        server_key(_server(options), os.environ)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer in the order in which the answers arrive."""
        stream, more = iter(requests), True
        done: SimpleQueue[Future[Completion]] = SimpleQueue()
        in_flight: set[Future[Completion]] = set()
        ended: UserError | None = None
        try:
            while more or in_flight:
                if more and len(in_flight) < self._options.batch_size and done.empty():
                    request = next(stream, None)
                    if request is None:
                        more = False
                    else:
                        future = self._call(self._ask(request))
                        in_flight.add(future)
                        future.add_done_callback(done.put)
                    continue
                future = done.get()
                in_flight.discard(future)
                try:
                    completion = future.result()
                except CancelledError:  # the run has ended, and the request was not sent
                    continue
                except UserError as exc:
                    ended, more = ended or exc, False
                    continue
                yield completion
        finally:
            for future in in_flight:
                future.cancel()
        if ended is not None:
            raise ended

    def describe(self) -> Mapping[str, Any]:
        """Return what is sent, where to, and who says at which times the frames are shown."""
        return {
            "engine": "openai",
            "openai": version("openai"),
            "base_url": self._server.base_url,
            "model": self._server.model,
            "send": self._server.send,
            "images": IMAGES,
            "times": self._server.times,
            "seed": self._options.seed,
            "max_in_flight": self._options.batch_size,
            "arguments": dict(self._options.extra),
            "generation": {**asdict(self._rule), **self._fields},
        }

    def close(self) -> None:
        """Give up what is in flight and close the connections."""
        if self._loop.is_closed():
            return
        with suppress(TimeoutError):
            self._call(self._stop()).result(CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    async def _start(self) -> ChatClient:
        return ChatClient(self._server, self._options.batch_size)

    async def _stop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _ask(self, request: Request) -> Completion:
        fields = self._fields
        if self._rule.decoding != "greedy" and "seed" not in fields:
            fields = {**fields, "seed": sample_seed(self._options.seed, request.sample_id)}
        return await self._client.ask(request, fields, self._answer_tokens)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def _server(options: EngineOptions) -> ServerOptions:
    """Return the server; raises UserError where the model is none on a server."""
    if options.server is None or not options.server.model:
        raise UserError("This engine is for models on a server: --model openai:NAME.")
    return options.server


def _sampling(rule: GenerationRule, options: EngineOptions) -> dict[str, Any]:
    """Return the rule's fields, and those that the user sets instead of them.

    "checkpoint" leaves sampling to the server, as the server has the checkpoint.
    """
    fields: dict[str, Any] = {}
    if OLDER_LIMIT not in options.extra:
        fields[LIMIT] = rule.max_new_tokens
    if rule.decoding != "checkpoint":
        fields["temperature"] = 0.0 if rule.decoding == "greedy" else rule.temperature
    return {**fields, **options.extra}


def _answer_tokens(fields: Mapping[str, Any]) -> int:
    """Return the most tokens that an answer may have."""
    return max(int(fields[name]) for name in (LIMIT, OLDER_LIMIT) if name in fields)
