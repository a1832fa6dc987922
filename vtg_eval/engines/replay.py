"""The engine for requests that contain their answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request, failed
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule


class ReplayEngine(Engine):
    """Returns each request's answer."""

    @classmethod
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        """Raise UserError for arguments: there are none."""
        if options.extra:
            raise UserError("No engine is started for this model: leave out --engine-arg.")

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        """Start nothing: answers depend on the requests only."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer each request at once; one without an answer becomes an error."""
        for request in requests:
            if request.answer is None:
                yield failed(request, "the adapter gave no answer to hand back")
            else:
                yield Completion(request.sample_id, request.answer, 0, 0, Finish.STOP)

    def describe(self) -> Mapping[str, Any]:
        """Return the engine's name; no argument can change an answer."""
        return {"engine": "replay"}
