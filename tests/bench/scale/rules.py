"""Rules of who answers what: the real one, and others to compare it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.shards import divided

Jobs = Sequence[VideoJob]


class WithoutTakeOver(Leases):
    """Leases, but who has nothing left waits."""

    def take_over(self, worker: str) -> VideoJob | None:
        return None


class Divided:
    """Each worker has its part from the start, with leases of its own, as a shard has.

    A worker's name begins with the number of its part.
    """

    def __init__(self, jobs: Jobs, parts: Sequence[int], workers: int) -> None:
        groups: list[list[VideoJob]] = [[] for _ in range(workers)]
        self._part_of = {}
        for job, part in zip(jobs, parts, strict=True):
            groups[part].append(job)
            self._part_of[job.video] = part
        self._parts = [WithoutTakeOver(group) for group in groups]
        self._left = sum(len(job.samples) for job in jobs)

    @property
    def done(self) -> bool:
        return not self._left

    def lease(self, worker: str) -> VideoJob | None:
        return self._of(worker).lease(worker)

    def take_over(self, worker: str) -> VideoJob | None:
        return None

    def answer(self, record: Record) -> bool:
        is_first = self._parts[self._part_of[record.video]].answer(record)
        self._left -= is_first
        return is_first

    def release(self, worker: str) -> list[Record]:
        given_up = self._of(worker).release(worker)
        self._left -= len(given_up)
        return given_up

    def _of(self, worker: str) -> Leases:
        return self._parts[int(worker.split()[0])]


def by_count(jobs: Jobs, workers: int) -> Divided:
    """Give each worker as many videos, in the order of their names."""
    rank = {name: number for number, name in enumerate(sorted(job.video for job in jobs))}
    return Divided(jobs, [rank[job.video] * workers // len(jobs) for job in jobs], workers)


def by_weight(jobs: Jobs, workers: int) -> Divided:
    """Divide the videos as `--shard` does."""
    return Divided(jobs, divided([job.weight for job in jobs], workers), workers)


RULES: dict[str, Callable[[Jobs, int], Leases | Divided]] = {
    "leases": lambda jobs, workers: Leases(jobs),
    "leases without take-over": lambda jobs, workers: WithoutTakeOver(jobs),
    "shards by weight (`--shard`)": by_weight,
    "equal numbers of videos": by_count,
}
