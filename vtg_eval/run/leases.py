"""Which worker answers which video: each is leased to one, and again where that one is lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace

from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.plan import VideoJob
from vtg_eval.types import Sample

# A video that so many workers gave back is given up.
MOST_RETURNS = 2


class Leases:
    """The videos of a run and the workers that have them, by name; in the order of the jobs.

    A worker that has nothing left takes over what another one has not finished. The first answer to
    a sample counts.
    """

    def __init__(self, jobs: Iterable[VideoJob]) -> None:
        self._jobs = list(jobs)
        self._waiting = deque(range(len(self._jobs)))
        self._unanswered = [{sample.id for sample in job.samples} for job in self._jobs]
        self._job_of = {s.id: number for number, job in enumerate(self._jobs) for s in job.samples}
        self._left = len(self._job_of)
        # of the videos with unanswered samples alone: who has them, what each has, in order
        self._holders: dict[int, list[str]] = {}
        self._leased: dict[str, dict[int, None]] = {}
        self._returns: Counter[int] = Counter()

    @property
    def done(self) -> bool:
        """Whether every sample has an answer."""
        return not self._left

    def lease(self, worker: str) -> VideoJob | None:
        """Return a video that nobody has, with its unanswered samples; None where there is none."""
        while self._waiting:
            number = self._waiting.popleft()
            if self._unanswered[number]:
                return self._give(number, worker)
        return None

    def take_over(self, worker: str) -> VideoJob | None:
        """Return the video that another worker will answer last, None where there is none.

        A video is with two workers at most.
        """
        open_jobs = [
            [number for number in numbers if len(self._holders[number]) == 1]
            for other, numbers in self._leased.items()
            if other != worker
        ]
        numbers = max(open_jobs, key=len, default=[])
        return self._give(numbers[-1], worker) if numbers else None

    def answer(self, record: Record) -> bool:
        """Note an answer; False where the sample has one."""
        number = self._job_of[record.id]
        unanswered = self._unanswered[number]
        if record.id not in unanswered:
            return False
        unanswered.remove(record.id)
        self._left -= 1
        if not unanswered:
            self._close(number)
        return True

    def release(self, worker: str) -> list[Record]:
        """Take back what the worker has not answered, for others.

        Returns the records of videos that are given up.
        """
        given_up: list[Record] = []
        for number in self._leased.pop(worker, {}):
            self._holders[number].remove(worker)
            self._returns[number] += 1
            if self._returns[number] < MOST_RETURNS:
                if not self._holders[number]:  # else who has it would be given it again
                    self._waiting.appendleft(number)
                continue
            job = self._jobs[number]
            error = f"{MOST_RETURNS} workers had this video and ended without an answer"
            given_up += [
                Record(sample.id, job.video, Finish.ERROR, error=error)
                for sample in self._left_of(number)
            ]
            self._left -= len(self._unanswered[number])
            self._unanswered[number].clear()
            self._close(number)
        return given_up

    def _give(self, number: int, worker: str) -> VideoJob:
        self._holders.setdefault(number, []).append(worker)
        self._leased.setdefault(worker, {})[number] = None
        return replace(self._jobs[number], samples=self._left_of(number))

    def _close(self, number: int) -> None:
        """Take a job without unanswered samples from all workers."""
        for worker in self._holders.pop(number, ()):
            del self._leased[worker][number]

    def _left_of(self, number: int) -> tuple[Sample, ...]:
        """Return the unanswered samples of a job."""
        unanswered = self._unanswered[number]
        return tuple(s for s in self._jobs[number].samples if s.id in unanswered)
