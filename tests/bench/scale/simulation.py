"""A run on many workers as a simulation of events, with the real rule of leases.

A worker is what `DecodeAhead` and an engine are together: it asks for a video when it has room to
decode one ahead, each video is decoded by one thread, the engine takes videos in their order and
answers one question after the other. Nothing here waits: time is a number.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

from tests.bench.scale.workload import Workload
from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.ray_pool import RESTARTS

IN_FLIGHT = 64  # questions of taken videos: vLLM's 32 and as many that are prepared ahead


class Rule(Protocol):
    """Who answers what: `Leases`, or another rule to compare it with."""

    @property
    def done(self) -> bool: ...
    def lease(self, worker: str) -> VideoJob | None: ...
    def take_over(self, worker: str) -> VideoJob | None: ...
    def answer(self, record: Record) -> bool: ...
    def release(self, worker: str) -> list[Record]: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers.

    threads: that decode, in each. slow: the share of workers whose threads and engine have the
    speed `slow_speed`. deaths: for each worker and hour. replaced: whether another takes the place,
    after `start` seconds.
    """

    workers: int = 64
    threads: int = 16
    slow: float = 0.0
    slow_speed: float = 0.5
    deaths: float = 0.0
    replaced: bool = True
    start: float = 300.0

    def speeds(self) -> list[float]:
        """Return the speed of each worker; the slow ones come last."""
        slow = round(self.workers * self.slow)
        return [1.0] * (self.workers - slow) + [self.slow_speed] * slow

    def ideal(self, work: Workload) -> float:
        """Return the seconds that the work takes if nothing ever waits for anything."""
        speed = sum(self.speeds())
        return max(work.core_seconds / (speed * self.threads), work.engine_seconds / speed)


@dataclass(slots=True)
class Outcome:
    """What happened.

    end: when the last sample had its record, in seconds. idle: seconds without work, of all workers
    together. cores: seconds of threads that decoded, at full speed. messages: between the workers
    and the parent. repeated: answers to samples that had one. finished: each sample has a record.
    """

    end: float = 0.0
    idle: float = 0.0
    cores: float = 0.0
    messages: int = 0
    answered: int = 0
    repeated: int = 0
    given_up: int = 0
    taken_over: int = 0
    deaths: int = 0
    finished: bool = False


@dataclass(slots=True)
class _Video:
    job: VideoJob
    started: float
    seconds: float
    ready: bool = False


@dataclass(slots=True)
class _Worker:
    slot: int
    name: str
    speed: float
    alive: bool = True
    idle_since: float | None = None
    ended: bool = False  # the parent has no further video for it
    busy: bool = False
    head: _Video | None = None
    waiting: deque[_Video] = field(default_factory=deque)
    decoding: dict[str, _Video] = field(default_factory=dict)
    asked: deque[tuple[Record, float]] = field(default_factory=deque)


class Simulation:
    """One run; `run` returns its outcome."""

    def __init__(self, work: Workload, cluster: Cluster, rule: Rule, seed: int = 0) -> None:
        self._work, self._cluster, self._rule = work, cluster, rule
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], _Worker, Any]] = []
        self._numbers, self._names = count(), count()
        self._now = 0.0
        self._restarts = RESTARTS * cluster.workers
        self._workers: dict[str, _Worker] = {}
        self.outcome = Outcome()
        for slot, speed in enumerate(cluster.speeds()):
            self._start(slot, speed, 0.0)

    def run(self) -> Outcome:
        """Run to the end: all samples have their records, or no worker is left."""
        events, rule = self._events, self._rule
        while not rule.done and events and self._workers:
            self._now, _, act, worker, what = heappop(events)
            if worker.alive:
                act(worker, what)
        self.outcome.end, self.outcome.finished = self._now, rule.done
        for worker in self._workers.values():
            self._count_idle(worker)
            self._count_decoding(worker)
        return self.outcome

    def _at(self, delay: float, act: Callable[..., None], worker: _Worker, what: Any) -> None:
        heappush(self._events, (self._now + delay, next(self._numbers), act, worker, what))

    def _start(self, slot: int, speed: float, delay: float) -> None:
        worker = _Worker(slot, f"{slot} {next(self._names)}", speed)
        self._workers[worker.name] = worker
        self._at(delay, self._become_idle, worker, None)
        if self._cluster.deaths:
            life = self._random.expovariate(self._cluster.deaths / 3600)
            self._at(delay + life, self._die, worker, None)

    def _become_idle(self, worker: _Worker, _: None) -> None:
        self.outcome.messages += 1
        self.outcome.given_up += len(self._rule.release(worker.name))
        worker.idle_since = self._now
        self._occupy(worker)

    def _occupy(self, worker: _Worker) -> None:
        """As the pool does; without success only a death makes it worth another try."""
        job = self._rule.lease(worker.name)
        if job is None:
            job = self._rule.take_over(worker.name)
            self.outcome.taken_over += job is not None
        if job is not None:
            self._count_idle(worker)
            worker.ended = False
            self._decode(worker, job)
            self._go_on(worker)

    def _decode(self, worker: _Worker, job: VideoJob) -> None:
        self.outcome.messages += 1
        video = _Video(job, self._now, self._work.decode[job.video])
        worker.waiting.append(video)
        worker.decoding[job.video] = video
        self._at(video.seconds / worker.speed, self._decoded, worker, video)

    def _fill(self, worker: _Worker) -> None:
        """As `DecodeAhead`; the frames of 16 videos are below its limit of memory."""
        threads = self._cluster.threads
        while not worker.ended and max(len(worker.waiting), len(worker.decoding)) < threads:
            self.outcome.messages += 1
            job = self._rule.lease(worker.name)
            if job is None:
                worker.ended = True
            else:
                self._decode(worker, job)

    def _decoded(self, worker: _Worker, video: _Video) -> None:
        video.ready = True
        self.outcome.cores += worker.decoding.pop(video.job.video).seconds
        self._go_on(worker)

    def _go_on(self, worker: _Worker) -> None:
        """Decode ahead, and ask what can be asked."""
        self._fill(worker)
        while len(worker.asked) < IN_FLIGHT:
            if worker.head is None:
                if not worker.waiting:
                    break
                worker.head = worker.waiting.popleft()
                self._fill(worker)
            if not worker.head.ready:
                break
            job, worker.head = worker.head.job, None
            seconds = self._work.vision
            for sample in job.samples:
                record = Record(sample.id, job.video, Finish.STOP)
                worker.asked.append((record, seconds + self._work.query))
                seconds = 0.0
        if worker.asked and not worker.busy:
            worker.busy = True
            self._at(worker.asked[0][1] / worker.speed, self._answered, worker, None)

    def _answered(self, worker: _Worker, _: None) -> None:
        record = worker.asked.popleft()[0]
        worker.busy = False
        outcome = self.outcome
        outcome.messages += 1
        if self._rule.answer(record):
            outcome.answered += 1
        else:
            outcome.repeated += 1
        self._go_on(worker)
        if worker.ended and not (worker.asked or worker.head or worker.waiting):
            self._become_idle(worker, None)

    def _die(self, worker: _Worker, _: None) -> None:
        worker.alive = False
        del self._workers[worker.name]
        self.outcome.deaths += 1
        self._count_idle(worker)
        self._count_decoding(worker)
        if self._cluster.replaced and self._restarts > 0:
            self._restarts -= 1
            self._start(worker.slot, worker.speed, self._cluster.start)
        self.outcome.given_up += len(self._rule.release(worker.name))
        for other in list(self._workers.values()):
            if other.idle_since is not None:
                self._occupy(other)

    def _count_idle(self, worker: _Worker) -> None:
        if worker.idle_since is not None:
            self.outcome.idle += self._now - worker.idle_since
            worker.idle_since = None

    def _count_decoding(self, worker: _Worker) -> None:
        """Count what its threads have done of videos that they have not finished."""
        for video in worker.decoding.values():
            self.outcome.cores += (self._now - video.started) * worker.speed
