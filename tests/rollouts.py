"""A plug-in for tests of requests: an engine whose answers depend only on the request's id."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request, failed
from vtg_eval.failures import Finish
from vtg_eval.hookspecs import Entry, hookimpl
from vtg_eval.protocol import GenerationRule

# For engines in other processes: seconds an answer takes; a file, and the process that makes it is
# killed after an answer.
DELAY, KILLED = "ROLLOUT_DELAY", "ROLLOUT_KILLED"


class RolloutEngine(Engine):
    """A test sets `stop_after` (number of answers before an error) and `refuse` (ids that fail)."""

    asked: list[str]
    requests: dict[str, Request]
    rules: list[GenerationRule]
    stop_after: int | None
    refuse: frozenset[str]

    @classmethod
    def reset(cls, stop_after: int | None = None, refuse: Iterable[str] = ()) -> None:
        cls.asked, cls.requests, cls.rules = [], {}, []
        cls.stop_after, cls.refuse = stop_after, frozenset(refuse)

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        self.rules.append(rule)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise RuntimeError("out of order")
            if self.asked and _makes(os.environ.get(KILLED)):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(float(os.environ.get(DELAY, "0")))
            self.asked.append(request.sample_id)
            self.requests[request.sample_id] = request
            if request.sample_id in self.refuse:
                yield failed(request, "no memory")
            else:
                yield Completion(request.sample_id, answer(request.sample_id), 7, 3, Finish.STOP)

    def describe(self) -> Mapping[str, Any]:
        return {"engine": "rollouts"}


def answer(name: str) -> str:
    """Return a span in the first seconds; for a quarter of the ids, a text without a span."""
    digest = hashlib.sha256(name.encode()).digest()
    start = digest[0] / 256
    return "no idea" if digest[2] < 64 else f"{start:.2f} - {start + digest[1] / 128:.2f}"


RolloutEngine.reset()


def _makes(file: str | None) -> bool:
    """Make the file; return whether it was not there."""
    if file is None:
        return False
    try:
        Path(file).open("x").close()
    except FileExistsError:
        return False
    return True


@hookimpl
def vtg_engines() -> Sequence[Entry]:
    return (Entry("rollouts", "tests.rollouts:RolloutEngine", "for tests"),)
