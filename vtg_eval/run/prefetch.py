"""Prefetch: a stream of requests in plan order, with frames decoded ahead of the model.

Memory does not grow with the benchmark. A failure of one video or one sample does not end the run.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from vtg_eval.console.text import error_line
from vtg_eval.engines.base import ENGINE_FINISHES, Completion, Request
from vtg_eval.errors import CutShortError, EngineError, UserError, VideoError
from vtg_eval.failures import Finish
from vtg_eval.run.decode_ahead import DecodeAhead, LoadFrames
from vtg_eval.run.devices import cores
from vtg_eval.run.journal import Record
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.time_limit import TimeLimit
from vtg_eval.run.usage import UsageMeter
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

BUILD_SECONDS = 60.0  # the limit for building one request; usual are milliseconds
Build = Callable[[Sample, Frames | None], Request]


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request that was handed to the engine: its record, without pixels, and its start time.

    The record is kept unchanged where the engine never answers. answer_start: see `Request`.
    """

    record: Record
    started: float
    answer_start: str


class RequestStream:
    """An iterator of requests over `jobs`. An engine may read it from another thread.

    `load` decodes a job's frames (None for adapters without frames), `build` makes a sample's
    request, in at most `seconds`. Samples whose request fails are collected as records for
    `take_failed`. An error of the whole run (UserError) ends the stream and is in `fatal`.
    """

    def __init__(
        self,
        jobs: Iterable[VideoJob],
        load: LoadFrames | None,
        build: Build,
        workers: int | None = None,
        seconds: float = BUILD_SECONDS,
        explain: Callable[[BaseException], str] = error_line,
        meter: UsageMeter | None = None,
    ) -> None:
        """explain: returns an exception as one line. meter: of the session."""
        self._explain = explain
        self._meter = meter or UsageMeter()
        self._jobs = jobs
        self._build = build
        self._limit = TimeLimit[Request](seconds, "building the request")
        self._decoding = (
            None if load is None else DecodeAhead(jobs, self._metered(load), workers or cores())
        )
        self._failed: deque[Record] = deque()
        self._pending: dict[str, _Pending] = {}
        self._stopped = False
        self.fatal: UserError | None = None
        self._requests = self._walk_and_close()

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        return next(self._requests)

    def close(self) -> None:
        """End the stream and drop frames that were decoded ahead."""
        self._stopped = True
        if self._decoding is not None:
            self._decoding.close()

    def answer(self, completion: Completion) -> Record:
        """Turn an engine's completion into the sample's record.

        Raises EngineError for a sample without a pending request and for a finish that is not one
        of ENGINE_FINISHES: bugs of the engine.
        """
        pending = self._pending.pop(completion.sample_id, None)
        if pending is None:
            raise EngineError(
                f'The engine answered the sample "{completion.sample_id}", which it was not '
                "asked or had answered before: a bug of the engine."
            )
        if completion.finish not in ENGINE_FINISHES:
            raise EngineError(
                f'The engine gave the sample "{completion.sample_id}" the finish '
                f'"{completion.finish}", which is none of {", ".join(ENGINE_FINISHES)}: a bug of '
                "the engine."
            )
        self._meter.answered()
        finish = Finish(completion.finish)
        answered = finish in (Finish.STOP, Finish.LENGTH)
        return replace(
            pending.record,
            finish=finish,
            text=pending.answer_start + completion.text if answered else completion.text,
            error=completion.error,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            cached_tokens=completion.cached_tokens,
            seconds=round(time.perf_counter() - pending.started, 3),
        )

    def take_failed(self) -> Iterator[Record]:
        """Yield the records of samples whose request failed since the last call."""
        while self._failed:
            yield self._failed.popleft()

    def unanswered(self) -> list[Record]:
        """Return the records of requests without an answer."""
        return [pending.record for pending in self._pending.values()]

    def _metered(self, load: LoadFrames) -> LoadFrames:
        def metered(job: VideoJob) -> Frames:
            with self._meter.decoding():
                return load(job)

        return metered

    def _walk_and_close(self) -> Iterator[Request]:
        try:
            yield from self._walk()
        finally:
            self._limit.close()

    def _walk(self) -> Iterator[Request]:
        jobs = self._decoding or ((job, _no_frames) for job in self._jobs)
        for job, load in jobs:
            if self._stopped:
                return
            try:
                with self._meter.waiting():
                    frames = load()
            except UserError as exc:
                self.fatal = exc
                return
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # broken files may make decoders raise anything
                line = error_line(exc) if isinstance(exc, VideoError) else self._explain(exc)
                self._failed.extend(
                    Record(sample.id, job.video, _finish(exc), error=line) for sample in job.samples
                )
            else:
                yield from self._ask(job, frames)
                del frames  # while the next video is decoded

    def _ask(self, job: VideoJob, frames: Frames | None) -> Iterator[Request]:
        for sample in job.samples:
            if self._stopped:
                return
            try:
                request = self._limit.call(partial(self._build, sample, frames))
                record = _unanswered(sample, request)
            except UserError as exc:
                self.fatal = exc
                self._stopped = True
                return
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # an adapter's error on one sample fails that sample only
                error = self._explain(exc)
                self._failed.append(Record(sample.id, job.video, Finish.ERROR, error=error))
                continue
            self._pending[sample.id] = _Pending(record, time.perf_counter(), request.answer_start)
            self._meter.asked()
            yield request


def _no_frames() -> None:
    """Return the frames for adapters without frames."""


def _finish(exc: BaseException) -> Finish:
    """Return how the request ends for samples whose video raised `exc`."""
    match exc:
        case CutShortError():
            return Finish.CUT_SHORT
        case VideoError():
            return Finish.UNDECODABLE
        case _:
            return Finish.ERROR


def _unanswered(sample: Sample, request: Request) -> Record:
    """Return the record of a sample whose request has no answer yet."""
    prompt = sha256(request.prompt.encode("utf-8", "surrogatepass")).hexdigest()
    frames = request.frames
    record = Record(
        sample.id,
        sample.video,
        Finish.ERROR,
        error="the engine gave no answer",
        prompt=prompt,
        model_times=tuple(float(t) for t in request.model_times),
        escaped=request.escaped,
    )
    if frames is None:
        return record
    _, height, width, _ = frames.array.shape
    if not all(map(math.isfinite, frames.times)):
        raise ValueError("a frame's time is not finite")
    return replace(
        record,
        frame_times=tuple(float(t) for t in frames.times),
        height=height,
        width=width,
        decoder=frames.decoder,
        frames=frames.digest,
    )
