"""Workers that are processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from tqdm import tqdm

from vtg_eval.run.worker import MakeWork, Message, serve
from vtg_eval.run.worker_pool import Worker, WorkerPool

END_SECONDS = 10.0  # for a worker to stop its engine


class _Process(Worker):
    """A worker's process, and this end of the connection."""

    def __init__(self, name: str, process: SpawnProcess, connection: Connection) -> None:
        super().__init__(name)
        self.process = process
        self.connection = connection

    def say(self, what: Any) -> None:
        with suppress(OSError):  # it has ended, which is seen next
            self.connection.send(what)

    def receive(self) -> Sequence[Message] | None:
        try:
            return [self.connection.recv()] if self.connection.poll() else None
        except (EOFError, OSError):
            return None

    def end(self) -> str:
        self.process.join(END_SECONDS)
        self.process.kill()
        self.connection.close()
        return f"Its exit status is {self.process.exitcode}."


class ProcessPool(WorkerPool[_Process]):
    """Worker processes, one for each environment: variables that are set in it at its start."""

    def __init__(self, make: MakeWork, environments: Sequence[Mapping[str, str]]) -> None:
        """make: makes what a worker does, in its process; it is pickled."""
        super().__init__()
        context = multiprocessing.get_context("spawn")
        for number, environment in enumerate(environments):
            connection, far_end = context.Pipe()
            process = context.Process(target=_serve, args=(make, environment, far_end))
            process.start()
            far_end.close()  # so that its end is seen here
            self._workers.append(_Process(f"worker {number}", process, connection))

    def close(self) -> None:
        """End the workers: they stop their engines."""
        for worker in self._workers:
            worker.process.terminate()
        super().close()

    def _speaking(self) -> list[_Process]:
        ends: dict[Any, _Process] = {worker.connection: worker for worker in self._workers}
        ends |= {worker.process.sentinel: worker for worker in self._workers}
        return list(dict.fromkeys(ends[end] for end in wait(list(ends))))


def _serve(make: MakeWork, environment: Mapping[str, str], connection: Connection) -> None:
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends this one
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # tqdm's own is of processes, and would be named as lost by Python where this one is killed
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(make, connection)


def _end_with_parent() -> None:
    """End this process, whatever it does, as soon as the parent has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
