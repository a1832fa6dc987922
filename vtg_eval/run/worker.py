"""A worker: it has an engine of its own and answers the videos that it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from vtg_eval.console.text import error_line
from vtg_eval.errors import EngineError, UserError
from vtg_eval.run.inference import FINISH_LATER
from vtg_eval.run.journal import Record
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.usage import Usage, UsageMeter


class Work(Protocol):
    """What a worker does: it keeps its engine from one assignment to the next."""

    def answer(
        self,
        assignment: Any,
        jobs: Iterator[VideoJob],
        started: Callable[[Mapping[str, Any]], None],
        keep: Callable[[Record], None],
        meter: UsageMeter,
    ) -> None:
        """Answer the videos. started: takes `Engine.describe()`; keep: each record.

        meter: of the assignment. Raises UserError where the run cannot go on, anything else where
        the engine fails.
        """

    def close(self) -> None:
        """Stop the engine."""


MakeWork = Callable[[], Work]


@dataclass(frozen=True, slots=True)
class Started:
    """A worker's engine runs; engine: its `describe()`."""

    engine: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worker asks for a video and waits for it. idle: it has no other and waits for the end."""

    idle: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample has its record. usage: of the worker, in its assignment so far."""

    record: Record
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker ends. fatal: the run cannot go on, so the others would fail as well."""

    reason: str
    fatal: bool


Message = Started | Wanted | Failed | Answered


class Connection(Protocol):
    """A worker's end of its connection to the pool; calls may come from several threads."""

    def send(self, obj: Message, /) -> None:
        """Send a message to the pool."""

    def recv(self) -> Any:
        """Wait for what the pool says; raises EOFError where it has ended."""


def serve(make: MakeWork, connection: Connection) -> None:
    """Be a worker until the pool sends no more assignments.

    The pool sends an assignment, then a video (or None) for each `Wanted`; None at the end.
    """
    link = _Link(connection)
    try:
        with closing(make()) as work:
            while (assignment := connection.recv()) is not None:
                link.started, link.meter = False, UsageMeter()
                while (job := link.video(idle=True)) is not None:
                    videos = chain([job], iter(lambda: link.video(idle=False), None))
                    work.answer(assignment, videos, link.start, link.keep, link.meter)
    except EngineError as exc:
        link.send(Failed(str(exc).removesuffix(f" {FINISH_LATER}"), fatal=False))
    except UserError as exc:
        link.send(Failed(str(exc), fatal=True))
    except (EOFError, KeyboardInterrupt):  # the pool has ended, or ends this worker
        return
    except BaseException as exc:
        link.send(Failed(error_line(exc), fatal=False))


class _Link:
    """The worker's end of the connection; videos may be asked for in another thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.started = False
        self.meter = UsageMeter()

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)

    def start(self, engine: Mapping[str, Any]) -> None:
        if not self.started:
            self.send(Started(dict(engine)))
        self.started = True

    def keep(self, record: Record) -> None:
        self.send(Answered(record, self.meter.usage()))

    def video(self, idle: bool) -> VideoJob | None:
        self.send(Wanted(idle))
        job: VideoJob | None = self._connection.recv()
        return job
