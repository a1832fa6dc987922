"""Several workers on one machine: they are started, given videos, and watched."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from vtg_eval.console.streams import warn
from vtg_eval.errors import EngineError, UserError
from vtg_eval.run.inference import FINISH_LATER
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.worker import Failed, MakeWork, Message, Started, Wanted, serve

END_SECONDS = 10.0  # for a worker to stop its engine


@dataclass(eq=False)
class _Worker:
    """A worker's process.

    ready: it waits for an assignment; else it has one, perhaps still the one before. idle: it has
    answered all its videos and waits for another.
    """

    name: str
    process: SpawnProcess
    connection: Connection
    ready: bool = True
    assigned: bool = False
    idle: bool = False

    def receive(self) -> Message | None:
        """Return what the worker says, None where it has ended."""
        try:
            message: Message | None = self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            return None
        return message


class WorkerPool:
    """Worker processes, one for each environment (see `serve`); must be closed."""

    def __init__(self, make: MakeWork, environments: Sequence[Mapping[str, str]]) -> None:
        """make: makes what a worker does, in its process; it is pickled."""
        context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        for number, environment in enumerate(environments):
            connection, far_end = context.Pipe()
            process = context.Process(target=serve, args=(make, environment, far_end))
            process.start()
            far_end.close()  # so that its end is seen here
            self._workers.append(_Worker(f"worker {number}", process, connection))

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
    ) -> None:
        """Have the videos answered; returns when every sample has its record.

        started: takes the description of the first engine that runs. Raises UserError where the run
        cannot go on, EngineError where no worker is left.
        """
        run = _Run(assignment, leases, started, keep)
        for worker in self._workers:
            worker.assigned = False
        while not leases.done:
            for worker in list(self._workers):
                run.occupy(worker)
            for worker in self._speaking():
                message = worker.receive()
                if message is None or isinstance(message, Failed):
                    self._lose(worker, run, message)
                else:
                    run.hear(worker, message)
            if not self._workers and not leases.done:
                raise EngineError(f"All workers have ended. {FINISH_LATER}")

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(END_SECONDS)
            worker.process.kill()
            worker.connection.close()
        self._workers.clear()

    def _speaking(self) -> list[_Worker]:
        """Wait until a worker says something, or ends; return those."""
        ends: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        ends |= {worker.process.sentinel: worker for worker in self._workers}
        return list(dict.fromkeys(ends[end] for end in wait(list(ends))))

    def _lose(self, worker: _Worker, run: _Run, failure: Failed | None) -> None:
        """Take the worker out. Raises UserError where no other can go on."""
        if failure is not None and failure.fatal:
            raise UserError(failure.reason)
        self._workers.remove(worker)
        worker.process.join(END_SECONDS)
        worker.process.kill()
        worker.connection.close()
        reason = failure.reason if failure else f"Its exit status is {worker.process.exitcode}."
        warn(f"{worker.name} has ended. {reason} Workers that go on: {self.size}.")
        run.take_back(worker)


@dataclass
class _Run:
    """One run of the pool: what is said to the workers, and heard from them."""

    assignment: Any
    leases: Leases
    started: Callable[[Mapping[str, Any]], None]
    keep: Callable[[Record], None]
    has_started: bool = False

    def occupy(self, worker: _Worker) -> None:
        """Give the worker something to do if it has nothing."""
        if worker.ready:
            self._say(worker, self.assignment)
            worker.ready, worker.assigned = False, True
        elif worker.idle and not worker.assigned:  # of the run before
            self._say(worker, None)
            worker.ready, worker.idle = True, False
            self.occupy(worker)
        elif worker.idle:
            name = worker.name
            job = self.leases.lease(name) or self.leases.take_over(name)
            if job is not None:
                worker.idle = False
                self._say(worker, job)

    def hear(self, worker: _Worker, message: Started | Wanted | Record) -> None:
        """Act on what a worker says."""
        match message:
            case Wanted(idle=True):
                worker.idle = True
                self.take_back(worker)
            case Wanted():
                self._say(worker, self.leases.lease(worker.name) if worker.assigned else None)
            case Started(engine) if worker.assigned and not self.has_started:
                self.has_started = True
                self.started(engine)
            case Record() if worker.assigned and self.leases.answer(message):
                self.keep(message)

    def take_back(self, worker: _Worker) -> None:
        """Let others answer what the worker has not."""
        for record in self.leases.release(worker.name):
            self.keep(record)

    @staticmethod
    def _say(worker: _Worker, what: Any) -> None:
        with suppress(OSError):  # it has ended, which is seen next
            worker.connection.send(what)
