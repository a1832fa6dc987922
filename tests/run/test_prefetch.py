import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtg_eval.engines.base import Completion, Request
from vtg_eval.errors import UserError, VideoError
from vtg_eval.failures import Finish
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.types import Sample, Target
from vtg_eval.video.frames import Frames, VideoInfo

QUERIES = 3


def jobs(count: int) -> list[VideoJob]:
    return [
        VideoJob(
            f"v{n}",
            Path(f"v{n}"),
            tuple(Sample(f"v{n}/{q}", f"v{n}", "q", Target()) for q in range(QUERIES)),
        )
        for n in range(count)
    ]


def frames(job: VideoJob) -> Frames:
    times = np.array([0.0, 0.5])
    info = VideoInfo("d", 1.0, 2.0, 4, 6, times)
    return Frames(np.zeros((2, 4, 6, 3), np.uint8), times, f"digest of {job.video}", "fake 1", info)


def build(sample: Sample, shown: Frames | None) -> Request:
    return Request(sample.id, f"prompt {sample.id}", frames=shown, model_times=(0.25,))


def test_requests_come_in_plan_order_with_their_own_frames() -> None:
    stream = RequestStream(jobs(5), frames, build, workers=2)
    requests = list(stream)
    assert [r.sample_id for r in requests] == [s.id for job in jobs(5) for s in job.samples]
    assert all(r.frames and r.frames.digest.endswith(r.sample_id[:2]) for r in requests)


def test_only_a_few_videos_are_decoded_ahead() -> None:
    decoded: list[str] = []

    def load(job: VideoJob) -> Frames:
        decoded.append(job.video)
        return frames(job)

    stream = RequestStream(jobs(50), load, build, workers=2)
    list(islice(stream, 4 * QUERIES))
    stream.close()
    assert len(decoded) <= 4 + 3


def test_each_video_is_decoded_once() -> None:
    decoded: list[str] = []

    def load(job: VideoJob) -> Frames:
        decoded.append(job.video)
        return frames(job)

    list(RequestStream(jobs(7), load, build))
    assert sorted(decoded) == [f"v{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("exc", "finish"),
    [
        (VideoError("v1: no frames"), Finish.UNDECODABLE),
        (MemoryError("v1: too large"), Finish.ERROR),
    ],
)
def test_a_broken_video_fails_only_its_own_samples(exc: Exception, finish: Finish) -> None:
    def load(job: VideoJob) -> Frames:
        if job.video == "v1":
            raise exc
        return frames(job)

    stream = RequestStream(jobs(3), load, build)
    asked = [r.sample_id for r in stream]
    assert asked == [s.id for n in (0, 2) for s in jobs(3)[n].samples]
    failed = list(stream.take_failed())
    assert [r.id for r in failed] == [s.id for s in jobs(3)[1].samples]
    assert {r.finish for r in failed} == {finish}
    assert all("v1: " in (r.error or "") for r in failed)
    assert list(stream.take_failed()) == []


def test_an_exception_of_the_adapter_fails_one_sample() -> None:
    def slip(sample: Sample, shown: Frames | None) -> Request:
        if sample.id == "v0/1":
            raise KeyError("no such template")
        return build(sample, shown)

    stream = RequestStream(jobs(2), frames, slip)
    assert len(list(stream)) == 2 * QUERIES - 1
    assert [(r.id, r.finish) for r in stream.take_failed()] == [("v0/1", Finish.ERROR)]


def test_a_request_that_takes_too_long_to_build_fails_one_sample() -> None:
    gate = threading.Event()

    def hang(sample: Sample, shown: Frames | None) -> Request:
        if sample.id == "v0/1":
            gate.wait(30)
        return build(sample, shown)

    stream = RequestStream(jobs(2), frames, hang, seconds=0.2)
    assert len(list(stream)) == 2 * QUERIES - 1
    gate.set()
    (record,) = stream.take_failed()
    assert (record.id, record.finish) == ("v0/1", Finish.ERROR)
    assert record.error == "TimeoutError: building the request took longer than 0.2 s"


def test_the_record_counts_escaped_tokens() -> None:
    def escaped(sample: Sample, shown: Frames | None) -> Request:
        return Request(sample.id, "prompt", escaped=2)

    stream = RequestStream(jobs(1), None, escaped)
    next(stream)
    assert stream.answer(Completion("v0/0", "", 0, 0, Finish.STOP)).escaped == 2


def test_a_user_error_ends_the_stream() -> None:
    def refuse(sample: Sample, shown: Frames | None) -> Request:
        raise UserError("this checkpoint has no chat template")

    stream = RequestStream(jobs(2), frames, refuse)
    assert list(stream) == []
    assert str(stream.fatal) == "this checkpoint has no chat template"


def test_without_a_loader_no_video_is_touched() -> None:
    assert all(request.frames is None for request in RequestStream(jobs(2), None, build))


def test_the_record_has_the_frames_and_the_times_of_the_model() -> None:
    stream = RequestStream(jobs(1), frames, build)
    next(stream)
    record = stream.answer(Completion("v0/0", "1 - 2", 11, 5, Finish.STOP))
    assert (record.id, record.video, record.text, record.finish) == (
        "v0/0",
        "v0",
        "1 - 2",
        Finish.STOP,
    )
    assert (record.frame_times, record.model_times) == ((0.0, 0.5), (0.25,))
    assert (record.height, record.width, record.decoder) == (4, 6, "fake 1")
    assert (record.prompt_tokens, record.completion_tokens) == (11, 5)
    assert record.prompt
    assert record.frames == "digest of v0"


@pytest.mark.parametrize("answers", [["v9/9"], ["v0/0", "v0/0"]])
def test_an_answer_without_a_request_is_an_error(answers: list[str]) -> None:
    stream = RequestStream(jobs(1), frames, build)
    next(stream)
    with pytest.raises(UserError, match="a bug of the engine"):
        for name in answers:
            stream.answer(Completion(name, "", 0, 0, Finish.STOP))


def test_a_request_without_an_answer_is_recorded_as_an_error() -> None:
    stream = RequestStream(jobs(1), frames, build)
    list(stream)
    stream.answer(Completion("v0/1", "", 0, 0, Finish.STOP))
    lost = [(r.id, r.finish, r.error) for r in stream.unanswered()]
    assert lost == [(name, Finish.ERROR, "the engine gave no answer") for name in ("v0/0", "v0/2")]


@pytest.mark.parametrize("finish", ["stop", "length", "error"])
def test_an_engine_may_give_the_finish_as_a_string(finish: Any) -> None:
    stream = RequestStream(jobs(1), frames, build)
    next(stream)
    assert stream.answer(Completion("v0/0", "", 0, 0, finish)).finish is Finish(finish)


@pytest.mark.parametrize("finish", ["stopped", "undecodable", "", None])
def test_an_unknown_finish_is_refused(finish: Any) -> None:
    stream = RequestStream(jobs(1), frames, build)
    next(stream)
    with pytest.raises(
        UserError, match=f'finish "{finish}", .* stop, length, refused, error, non_finite: a bug'
    ):
        stream.answer(Completion("v0/0", "", 0, 0, finish))


def test_closing_ends_the_stream_also_for_a_reader_in_another_thread() -> None:
    gate = threading.Event()

    def load(job: VideoJob) -> Frames:
        gate.wait(10)
        return frames(job)

    stream = RequestStream(jobs(20), load, build, workers=1)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.extend(stream))
    reader.start()
    stream.close()
    gate.set()
    reader.join(10)
    assert not reader.is_alive()
    assert len(got) <= QUERIES
