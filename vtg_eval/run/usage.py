"""What the time of a run went into, and what was computed once for several samples."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import fmean
from threading import Lock, get_ident
from typing import Any

from vtg_eval.run.journal import Record

SHOWN = 0.1  # seconds; less is not worth a word
MANY_REPEATS = 64  # engines answer so many at a time, and these may miss each other's results


@dataclass(frozen=True, slots=True)
class Usage:
    """One session of a run. Times are wall seconds; with several workers their mean.

    seconds: of the session. starting: until the engine ran. waiting: then, in which it had
    nothing to do because no frames were decoded yet. decoding: of all decoding threads together;
    processor: of these, the seconds in which they had a processor. decoded, stored: videos whose
    frames were decoded, and were in the frame store. repeats: answers about a video that had an
    answer before. prompt_tokens: of all answers. cached_tokens: of these, the tokens that the
    engine had computed for an earlier prompt; None where it does not say.
    """

    seconds: float = 0.0
    starting: float = 0.0
    waiting: float = 0.0
    decoding: float = 0.0
    processor: float = 0.0
    decoded: int = 0
    stored: int = 0
    answers: int = 0
    repeats: int = 0
    prompt_tokens: int = 0
    cached_tokens: int | None = None

    @property
    def lines(self) -> list[str]:
        """What the time went into, and what was computed once for several samples, in words."""
        parts = [
            f"{seconds:,.1f} s {purpose}"
            for seconds, purpose in (
                (self.starting, "until the engine ran"),
                (self.waiting, "to wait for frames"),
            )
            if seconds >= SHOWN
        ]
        lines = [f"time: {self.seconds:,.1f} s" + "".join(f", {part}" for part in parts)]
        if self.decoded or self.stored:
            lines.append(f"frames: {self.decoded:,} videos decoded, {self.stored:,} from the store")
            if self.decoding >= SHOWN:
                blocked = 1 - self.processor / self.decoding
                lines[-1] += f"; {self.decoding:,.1f} s in threads, {blocked:.0%} of it waiting"
        if self.cached_tokens is not None and self.prompt_tokens:
            share = self.cached_tokens / self.prompt_tokens
            lines.append(f"prompts: {share:.0%} of {self.prompt_tokens:,} tokens computed before")
        return lines

    @property
    def lacks_reuse(self) -> bool:
        """Whether no prompt's beginning was computed for an earlier one, though many could be."""
        return self.cached_tokens == 0 and self.repeats >= MANY_REPEATS

    def with_workers(self, workers: Sequence[Usage]) -> Usage:
        """Return this usage, in which nothing was decoded, with that of the workers."""
        if not workers:
            return self
        return replace(
            self,
            starting=fmean(worker.starting for worker in workers),
            waiting=fmean(worker.waiting for worker in workers),
            decoding=sum(worker.decoding for worker in workers),
            processor=sum(worker.processor for worker in workers),
            decoded=sum(worker.decoded for worker in workers),
            stored=sum(worker.stored for worker in workers),
        )


class UsageMeter:
    """Measures a session; its methods may be called from any thread.

    An engine that reads its requests in the thread that made the meter does nothing while it waits
    for one; an engine that reads them in another thread goes on with those in flight.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = self._changed = time.perf_counter()
        self._sums: dict[str, Any] = {"waiting": 0.0}  # fields of Usage
        self._videos: set[str] = set()
        self._thread = get_ident()
        self._waits: int | None = None
        self._in_flight = 0
        self._workers: dict[str, Usage] = {}

    def usage(self) -> Usage:
        """Return what was measured so far."""
        with self._lock:
            usage = Usage(seconds=time.perf_counter() - self._began, **self._sums)
            return usage.with_workers(tuple(self._workers.values()))

    def worker(self, name: str, usage: Usage) -> None:
        """A worker tells its usage in this session so far."""
        with self._lock:
            self._workers[name] = usage

    def engine_runs(self) -> None:
        """The engine runs, from here on if it did not before."""
        with self._lock:
            self._count_waiting()
            if "starting" not in self._sums:
                self._sums.update(starting=self._changed - self._began, waiting=0.0)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """The calling thread decodes a video meanwhile, or reads its frames from the store."""
        began, processor = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self._add(
                decoding=time.perf_counter() - began, processor=time.thread_time() - processor
            )

    def decoded_elsewhere(self, processor: float) -> None:
        """Another process decoded for a thread that is in `decoding`; processor: its seconds."""
        self._add(processor=processor)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The next video's frames are waited for meanwhile."""
        self._wait(get_ident())
        try:
            yield
        finally:
            self._wait(None)

    def frames(self, stored: bool) -> None:
        """A video's frames are ready. stored: whether the frame store had them."""
        self._add(stored=int(stored), decoded=int(not stored))

    def asked(self) -> None:
        """A request goes to the engine."""
        self._move(1)

    def answered(self) -> None:
        """A request has its answer."""
        self._move(-1)

    def kept(self, record: Record) -> None:
        """A sample has its record."""
        repeat = record.video in self._videos
        self._videos.add(record.video)
        self._add(
            answers=1,
            repeats=int(repeat),
            prompt_tokens=record.prompt_tokens,
            cached_tokens=record.cached_tokens,
        )

    def _add(self, **amounts: float | None) -> None:
        with self._lock:
            for name, amount in amounts.items():
                if amount is not None:
                    self._sums[name] = self._sums.get(name, 0) + amount

    def _wait(self, thread: int | None) -> None:
        with self._lock:
            self._count_waiting()
            self._waits = thread

    def _move(self, requests: int) -> None:
        with self._lock:
            self._count_waiting()
            self._in_flight += requests

    def _count_waiting(self) -> None:
        """Add the time since the last change, if the engine had nothing to do meanwhile."""
        now = time.perf_counter()
        if self._waits == self._thread or (self._waits is not None and not self._in_flight):
            self._sums["waiting"] += now - self._changed
        self._changed = now
