"""Workers that are actors of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import MappingProxyType
from typing import Any

from vtg_eval.console.streams import warn
from vtg_eval.errors import one_line
from vtg_eval.run.ray_cluster import WorkerShare
from vtg_eval.run.worker import MakeWork, Message, serve
from vtg_eval.run.worker_pool import Worker, WorkerPool

RESTARTS = 3  # for each worker that there is at the start
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
PATIENCE = 60.0  # seconds without a word of any worker, before the user is told


class Actor:
    """A worker's process. What the pool says and hears waits in queues.

    Ray calls its methods in threads of their own (see CONCURRENCY), so each may wait.
    """

    def __init__(self, make: MakeWork, folder: Path, environment: Mapping[str, str]) -> None:
        """folder: relative paths of the user's options start there."""
        os.environ.update(environment)
        with suppress(OSError):  # not on this node: then paths must be absolute
            os.chdir(folder)
        self._said: SimpleQueue[Any] = SimpleQueue()
        self._messages: SimpleQueue[Message] = SimpleQueue()
        connection = _Connection(self._messages, self._said)
        Thread(target=serve, args=(make, connection), daemon=True).start()

    def say(self, what: Any) -> None:
        """Take what the pool says."""
        self._said.put(what)

    def listen(self) -> list[Message]:
        """Wait for the next message; return it and those after it."""
        messages = [self._messages.get()]
        while not self._messages.empty():
            messages.append(self._messages.get())
        return messages


# Each method has one thread, so that calls of it keep their order.
CONCURRENCY = {"say": 1, "listen": 1}


class _Connection:
    """The worker's end of an actor's queues."""

    def __init__(self, messages: SimpleQueue[Message], said: SimpleQueue[Any]) -> None:
        self.send = messages.put
        self.recv = said.get


class _RayWorker(Worker):
    """An actor, and the call that listens to it. handle: Ray's."""

    def __init__(self, name: str, handle: Any) -> None:
        super().__init__(name)
        self._handle = handle
        self._fault = ""
        self.heard = self._listen()

    def say(self, what: Any) -> None:
        self._handle.say.options(concurrency_group="say").remote(what)

    def receive(self) -> Sequence[Message] | None:
        import ray

        try:
            messages: list[Message] = ray.get(self.heard)
        except ray.exceptions.RayError as exc:
            self._fault = one_line(str(exc))
            return None
        self.heard = self._listen()
        return messages

    def end(self) -> str:
        import ray

        ray.kill(self._handle)
        return f"Ray says: {self._fault}"

    def _listen(self) -> Any:
        return self._handle.listen.options(concurrency_group="listen").remote()


class RayPool(WorkerPool[_RayWorker]):
    """Workers that Ray places on the nodes of its cluster; one that dies is replaced."""

    def __init__(
        self,
        make: MakeWork,
        share: WorkerShare,
        environment: Mapping[str, str] = NO_VARIABLES,
        disconnect: bool = False,
    ) -> None:
        """make: makes what a worker does, in its process; it is pickled.

        environment: variables that are set there. disconnect: from the cluster, at the end.
        """
        import ray

        super().__init__()
        self._actor = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            scheduling_strategy="SPREAD",
            concurrency_groups=CONCURRENCY,
        )(Actor)
        self._arguments = (make, Path.cwd(), dict(environment))
        self._disconnect = disconnect
        self._share = share
        self._numbers = count()
        self._restarts = RESTARTS * share.workers
        self._patient = True
        self._workers = [self._start() for _ in range(share.workers)]

    def close(self) -> None:
        """End the workers, and the connection."""
        import ray

        super().close()
        if self._disconnect:
            ray.shutdown()

    def _start(self) -> _RayWorker:
        handle = self._actor.remote(*self._arguments)
        return _RayWorker(f"worker {next(self._numbers)}", handle)

    def _sent_to_all(self, assignment: Any) -> Any:
        import ray

        return ray.put(assignment)  # once; workers get it from the object store

    def _replacement(self) -> _RayWorker | None:
        self._restarts -= 1
        return self._start() if self._restarts >= 0 else None

    def _speaking(self) -> list[_RayWorker]:
        import ray

        ends = {worker.heard: worker for worker in self._workers}
        ready, _ = ray.wait(list(ends), timeout=PATIENCE if self._patient else None)
        if not ready:
            warn(
                f"after {PATIENCE:g} s no worker is ready: they read the checkpoint, or Ray has no "
                f"room for them. Each needs {self._share.cpus} CPUs and {self._share.gpus} GPUs; "
                "`ray status` shows what is free."
            )
        self._patient = False
        ready, _ = ray.wait(list(ends), num_returns=len(ends), timeout=0)
        return [ends[end] for end in ready]
