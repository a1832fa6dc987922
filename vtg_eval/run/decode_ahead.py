"""Videos decoded ahead of the model, within bounds on memory and on time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from threading import Lock, Thread

from vtg_eval.errors import VideoError
from vtg_eval.run.plan import VideoJob
from vtg_eval.video.frames import Frames

LoadFrames = Callable[[VideoJob], Frames]
# Frames that may wait, in bytes: 768 frames of 280 x 504 px have 0.3 GiB.
AHEAD_BYTES = 4 << 30
# Seconds after which decoding a video is given up, and for each second of the video. An hour takes
# a minute or two where the storage is not slow.
DECODE_SECONDS, SECONDS_PER_SECOND = 600.0, 1.0


def decode_limit(length: float, seconds: float = DECODE_SECONDS) -> float:
    """Return the seconds after which decoding a video is given up.

    length: of the video in seconds, infinite where unknown. seconds: without its length.
    """
    return seconds + (SECONDS_PER_SECOND * length if length < float("inf") else 0.0)


def took_too_long(name: str, limit: float) -> VideoError:
    """Return the error of a file whose decoding is given up after `limit` seconds."""
    return VideoError(f"{name}: decoding took longer than {limit:g} s")


@dataclass(slots=True)
class _Decoding:
    """A video that is decoded in a thread of its own."""

    job: VideoJob
    limit: float
    frames: Future[Frames] = field(default_factory=Future)
    started: float = field(default_factory=time.monotonic)
    ended: bool = False

    @property
    def size(self) -> int:
        """The bytes of the frames, 0 where there are none yet."""
        done = self.frames.done() and self.frames.exception() is None
        return self.frames.result().array.nbytes if done else 0

    def result(self) -> Frames:
        """Return the frames; raises what the decoder raised, VideoError where it hangs."""
        try:
            return self.frames.result(max(self.started + self.limit - time.monotonic(), 0.0))
        except NotYet:
            if self.frames.done():  # the decoder's own
                raise
            raise took_too_long(self.job.path.name, self.limit) from None


class DecodeAhead:
    """The jobs in their order, each with a call that returns its frames.

    Up to `workers` videos are decoded at a time, and as many wait, fewer where their frames would
    take more than `most_bytes` (one always may). What is not yet decoded counts as much as the
    largest so far.

    Python cannot end a thread: one whose decoder hangs goes on by itself, and does not keep the
    process from ending.
    """

    def __init__(
        self,
        jobs: Iterable[VideoJob],
        load: LoadFrames,
        workers: int,
        most_bytes: int = AHEAD_BYTES,
        seconds: float = DECODE_SECONDS,
    ) -> None:
        self._jobs = iter(jobs)
        self._load = load
        self._workers = workers
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._waiting: deque[_Decoding] = deque()
        self._decoding = 0
        self._largest = 0
        self._closed = False
        self._lock = Lock()
        self._fill()

    def __iter__(self) -> Iterator[tuple[VideoJob, Callable[[], Frames]]]:
        while (decoding := self._next()) is not None:
            self._fill()
            yield decoding.job, decoding.result
            self._end(decoding)  # also where it hangs: another thread takes its place
            del decoding  # with its frames, while the next is decoded
            self._fill()

    def close(self) -> None:
        """Start no more; drop what is decoded."""
        self._closed = True
        self._waiting = deque()  # without the lock, which waits for the next job

    def _next(self) -> _Decoding | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting and not self._closed else None

    def _fill(self) -> None:
        with self._lock:
            while not self._closed and self._has_room():
                job = next(self._jobs, None)
                if job is None:
                    return
                decoding = _Decoding(job, decode_limit(job.duration, self._seconds))
                self._waiting.append(decoding)
                self._decoding += 1
                name = f"decode {job.video}"
                Thread(target=self._decode, args=(decoding,), name=name, daemon=True).start()

    def _has_room(self) -> bool:
        if not self._waiting:
            return self._decoding < self._workers
        sizes = [decoding.size for decoding in self._waiting]
        self._largest = max(self._largest, *sizes)
        expected = sum(size or self._largest for size in sizes) + self._largest
        fewer = max(len(self._waiting), self._decoding) < self._workers
        return fewer and expected <= self._most_bytes

    def _decode(self, decoding: _Decoding) -> None:
        try:
            decoding.frames.set_result(self._load(decoding.job))
        except BaseException as exc:  # broken files may make decoders raise anything
            decoding.frames.set_exception(exc)
        self._end(decoding)
        del decoding
        self._fill()

    def _end(self, decoding: _Decoding) -> None:
        """Count a decoding as ended, once."""
        with self._lock:
            self._decoding -= not decoding.ended
            decoding.ended = True
