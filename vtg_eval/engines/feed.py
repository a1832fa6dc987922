"""The feed of an engine: requests read and prepared ahead, in threads of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import cycle
from threading import Condition, Thread
from typing import Generic, TypeVar

from vtg_eval.engines.base import Request

Prepared = TypeVar("Prepared")


@dataclass(frozen=True, slots=True)
class Worker(Generic[Prepared]):
    """Prepares requests, one at a time. thread: runs one call at a time."""

    thread: Executor
    prepare: Callable[[Request], Prepared]


@dataclass(frozen=True, slots=True)
class Fed(Generic[Prepared]):
    """A request, without its frames, and what a worker makes of it.

    prepared: raises what `prepare` raised. frame_bytes: of its frames, 0 where the request before
    has the same.
    """

    request: Request
    prepared: Future[Prepared]
    frame_bytes: int


class Feed(Generic[Prepared]):
    """Requests of a stream in its order, prepared by several workers.

    Consecutive requests on the same frames go to one worker, which can share its work among them.
    Requests that are not yet taken are at most `most`, and their frames hardly more than
    `most_bytes`: one video more, at most. The stream is read in a thread of the feed.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        workers: Sequence[Worker[Prepared]],
        most: int,
        most_bytes: int,
    ) -> None:
        self._requests = iter(requests)
        self._workers = cycle(workers)
        self._most = most
        self._most_bytes = most_bytes
        self._ahead: deque[Fed[Prepared]] = deque()
        self._bytes = 0
        self._changed = Condition()
        self._ended = False
        self._error: BaseException | None = None
        Thread(target=self._read, name="feed", daemon=True).start()

    def take(self, wait: bool) -> Fed[Prepared] | None:
        """Return the next request once it is prepared, None where it is not, or at the end.

        wait: None is returned at the end only. Raises what the stream raised.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._ready() or (self._ended and not self._ahead))
            if self._ready():
                fed = self._ahead.popleft()
                self._bytes -= fed.frame_bytes
                self._changed.notify_all()
                return fed
            if self._error is not None and not self._ahead:
                raise self._error
            return None

    def close(self) -> None:
        """Stop reading, and preparing what nobody will take."""
        with self._changed:
            self._ended = True
            for fed in self._ahead:
                fed.prepared.cancel()
            self._changed.notify_all()

    def _ready(self) -> bool:
        return bool(self._ahead) and self._ahead[0].prepared.done()

    def _has_room(self) -> bool:
        return len(self._ahead) < self._most and self._bytes < self._most_bytes

    def _read(self) -> None:
        worker, video = next(self._workers), None
        try:
            while self._wait_for_room() and (request := next(self._requests, None)) is not None:
                frames, size = request.frames, 0
                if frames is not None and frames.digest != video:
                    worker, video, size = next(self._workers), frames.digest, frames.array.nbytes
                self._submit(worker, request, size)
                del request, frames  # while the thread waits
        except BaseException as exc:  # raised to who takes
            self._error = exc
        finally:
            self._end()

    def _wait_for_room(self) -> bool:
        """Return whether to go on: False where the feed was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_room())
            return not self._ended

    def _submit(self, worker: Worker[Prepared], request: Request, frame_bytes: int) -> None:
        with self._changed:
            if self._ended:
                return
            prepared = worker.thread.submit(worker.prepare, request)
            self._ahead.append(Fed(replace(request, frames=None), prepared, frame_bytes))
            self._bytes += frame_bytes
        prepared.add_done_callback(self._wake)

    def _wake(self, _prepared: Future[Prepared]) -> None:
        with self._changed:
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
