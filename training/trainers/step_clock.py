"""What the time of a training step is spent on, in seconds of the main process.

rollouts: generating answers, and giving vLLM the weights (RL). inputs: decoding, frames, prompts.
learning: all other work of a step (rewards, passes, optimiser, waiting for other processes).
waiting: for a batch from other processes, and for a state to be saved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

Part = Literal["rollouts", "inputs", "learning", "waiting"]
PARTS: tuple[Part, ...] = get_args(Part)
TOTAL = "seconds"  # the log's column for a whole step
DIGITS = 6


def column(part: Part) -> str:
    """Return the log's name for a part of a step."""
    return f"{TOTAL}/{part}"


class StepClock:
    """Divides a step's time into parts; each moment counts in one part. now: seconds, never less.

    A step begins in `waiting`. Parts that are measured in other processes do not count.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Begin a step."""
        self._part: Part = "waiting"
        self._since = self._began = self._now()
        self._spent = dict.fromkeys(PARTS, 0.0)

    def switch(self, part: Part) -> Part:
        """Count the time from here on in that part; return the part before."""
        moment, before = self._now(), self._part
        self._spent[before] += moment - self._since
        self._since, self._part = moment, part
        return before

    @contextmanager
    def during(self, part: Part) -> Iterator[None]:
        """Count the time inside in that part, and afterwards in the part before."""
        before = self.switch(part)
        try:
            yield
        finally:
            self.switch(before)

    def lap(self) -> Mapping[str, float]:
        """End the step and begin the next; return its seconds, by the log's columns."""
        self.switch("waiting")
        seconds = {TOTAL: self._since - self._began}
        seconds |= {column(part): spent for part, spent in self._spent.items()}
        self.begin()
        return {name: round(value, DIGITS) for name, value in seconds.items()}
