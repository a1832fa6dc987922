"""Decoding ahead: in order, within bounds on memory, and on without a decoder that hangs."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.run.test_leases import make_jobs
from vtg_eval.errors import VideoError
from vtg_eval.run.decode_ahead import DecodeAhead
from vtg_eval.run.plan import VideoJob
from vtg_eval.video.frames import Frames, VideoInfo


def frames_of(job: VideoJob, size: int = 10) -> Frames:
    array = np.zeros((1, 1, size, 3), np.uint8)
    times = np.zeros(1)
    return Frames(array, times, job.video, "test", VideoInfo("", 1.0, 1.0, 1, size, times))


def test_videos_come_in_their_order() -> None:
    def load(job: VideoJob) -> Frames:
        time.sleep(0.02 if job.video == "v0" else 0)
        return frames_of(job)

    ahead = DecodeAhead(make_jobs(*[1] * 6), load, workers=3)
    assert [(job.video, load().digest) for job, load in ahead] == [(f"v{n}",) * 2 for n in range(6)]


def test_an_error_is_raised_to_who_asks_for_the_frames() -> None:
    def load(job: VideoJob) -> Frames:
        if job.video == "v1":
            raise TimeoutError("of the decoder itself")
        return frames_of(job)

    calls = [load for _, load in DecodeAhead(make_jobs(1, 1, 1), load, workers=2)]
    assert calls[0]().digest == "v0"
    with pytest.raises(TimeoutError, match="of the decoder itself"):
        calls[1]()
    assert calls[2]().digest == "v2"


def test_decoders_that_hang_cost_their_own_videos_only() -> None:
    release = threading.Event()

    def load(job: VideoJob) -> Frames:
        if job.video in ("v0", "v1", "v3"):
            release.wait()
        return frames_of(job)

    outcomes = []
    for job, frames in DecodeAhead(make_jobs(*[1] * 5), load, workers=2, seconds=0.1):
        try:
            outcomes.append(frames().digest)
        except VideoError as exc:
            assert str(exc) == f"{job.video}.mp4: decoding took longer than 0.1 s"
            outcomes.append("hangs")
    release.set()
    assert outcomes == ["hangs", "hangs", "v2", "hangs", "v4"]


@pytest.mark.parametrize(("most_bytes", "expected"), [(10**9, 4), (70, 2), (1, 1)])
def test_the_bytes_that_wait_are_bounded(most_bytes: int, expected: int) -> None:
    decoded = []

    def load(job: VideoJob) -> Frames:
        decoded.append(job.video)
        return frames_of(job)

    most = 0
    ahead = DecodeAhead(make_jobs(*[1] * 20), load, workers=4, most_bytes=most_bytes)
    for number, (_, frames) in enumerate(ahead):
        frames()
        time.sleep(0.01)
        if number > 4:  # the size of the videos is known
            most = max(most, len(decoded) - number - 1)
    assert len(decoded) == 20
    assert most <= expected


def test_nothing_is_started_after_the_end() -> None:
    decoded = []

    def load(job: VideoJob) -> Frames:
        decoded.append(job.video)
        return frames_of(job)

    ahead = DecodeAhead(make_jobs(*[1] * 20), load, workers=2)
    videos = iter(ahead)
    next(videos)
    ahead.close()
    assert next(videos, None) is None
    assert len(decoded) <= 3
