"""Several workers for a run: they are given videos, and watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from vtg_eval.console.streams import warn
from vtg_eval.errors import EngineError, UserError
from vtg_eval.run.inference import FINISH_LATER
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.usage import UsageMeter
from vtg_eval.run.worker import Answered, Failed, Message, Started, Wanted


class Worker(ABC):
    """A worker as the pool sees it.

    ready: it waits for an assignment; else it has one, perhaps still the one before. idle: it has
    answered all its videos and waits for another.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = True
        self.assigned = False
        self.idle = False

    @abstractmethod
    def say(self, what: Any) -> None:
        """Send something to the worker; nothing happens where it has ended."""

    @abstractmethod
    def receive(self) -> Sequence[Message] | None:
        """Return what the worker says, None where it has ended."""

    @abstractmethod
    def end(self) -> str:
        """Make sure that the worker has ended; return how it did, as a sentence."""


W = TypeVar("W", bound=Worker)


class WorkerPool(ABC, Generic[W]):
    """The workers, which stay from one run to the next; must be closed."""

    def __init__(self) -> None:
        self._workers: list[W] = []

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def run(
        self,
        assignment: Any,
        leases: Leases,
        started: Callable[[Mapping[str, Any]], None],
        keep: Callable[[Record], None],
        meter: UsageMeter,
    ) -> None:
        """Have the videos answered; returns when every sample has its record.

        started: takes the description of the first engine that runs. meter: of the session. Raises
        UserError where the run cannot go on, EngineError where no worker is left.
        """
        run = _Run(self._sent_to_all(assignment), leases, started, keep, meter)
        for worker in self._workers:
            worker.assigned = False
        while not leases.done:
            for worker in self._workers:
                run.occupy(worker)
            for worker in self._speaking():
                self._hear(worker, run)
            if not self._workers and not leases.done:
                raise EngineError(f"All workers have ended. {FINISH_LATER}")

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    @abstractmethod
    def _speaking(self) -> list[W]:
        """Wait until a worker says something, or ends; return those."""

    def _sent_to_all(self, assignment: Any) -> Any:
        """Return an assignment as it is said to each worker."""
        return assignment

    def _replacement(self) -> W | None:
        """Start a worker in the place of one that has ended; None where there is none."""
        return None

    def _hear(self, worker: W, run: _Run) -> None:
        messages = worker.receive()
        if messages is None:
            self._lose(worker, run, None)
            return
        for message in messages:
            if isinstance(message, Failed):
                self._lose(worker, run, message)
            else:
                run.hear(worker, message)

    def _lose(self, worker: W, run: _Run, failure: Failed | None) -> None:
        """Take the worker out. Raises UserError where no other can go on."""
        if failure is not None and failure.fatal:
            raise UserError(failure.reason)
        self._workers.remove(worker)
        reason = worker.end()
        if failure is not None:
            reason = failure.reason
        line = f"{worker.name} has ended. {reason} Workers that go on: {self.size}."
        # an engine that failed here would fail again
        replacement = self._replacement() if failure is None else None
        if replacement is not None:
            self._workers.append(replacement)
            line += f" {replacement.name} takes its place."
        warn(line)
        run.take_back(worker)


@dataclass
class _Run:
    """One run of the pool: what is said to the workers, and heard from them."""

    assignment: Any
    leases: Leases
    started: Callable[[Mapping[str, Any]], None]
    keep: Callable[[Record], None]
    meter: UsageMeter
    has_started: bool = False

    def occupy(self, worker: Worker) -> None:
        """Give the worker something to do if it has nothing."""
        if worker.ready:
            worker.say(self.assignment)
            worker.ready, worker.assigned = False, True
        elif worker.idle and not worker.assigned:  # of the run before
            worker.say(None)
            worker.ready, worker.idle = True, False
            self.occupy(worker)
        elif worker.idle:
            name = worker.name
            job = self.leases.lease(name) or self.leases.take_over(name)
            if job is not None:
                worker.idle = False
                worker.say(job)

    def hear(self, worker: Worker, message: Started | Wanted | Answered) -> None:
        """Act on what a worker says."""
        match message:
            case Wanted(idle=True):
                worker.idle = True
                self.take_back(worker)
            case Wanted():
                worker.say(self.leases.lease(worker.name) if worker.assigned else None)
            case Started(engine) if worker.assigned and not self.has_started:
                self.has_started = True
                self.started(engine)
            case Answered(record, usage) if worker.assigned:
                self.meter.worker(worker.name, usage)
                if self.leases.answer(record):
                    self.keep(record)

    def take_back(self, worker: Worker) -> None:
        """Let others answer what the worker has not."""
        for record in self.leases.release(worker.name):
            self.keep(record)
