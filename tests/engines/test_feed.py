"""The feed: order, bounds, one worker for a video, and nothing that waits while it should not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from vtg_eval.engines.base import Request
from vtg_eval.engines.feed import Feed, Worker
from vtg_eval.video.frames import Frames, VideoInfo

FRAME_BYTES = 2 * 4 * 6 * 3
MANY = 1000 * FRAME_BYTES


def request(video: int, query: int) -> Request:
    times = np.array([0.0, 0.5])
    info = VideoInfo("d", 1.0, 2.0, 4, 6, times)
    frames = Frames(np.zeros((2, 4, 6, 3), np.uint8), times, f"v{video}", "fake 1", info)
    return Request(f"v{video}/{query}", "prompt", frames=frames)


def workers(count: int, prepare: Callable[[Request], str]) -> list[Worker[str]]:
    return [Worker(ThreadPoolExecutor(1), prepare) for _ in range(count)]


def name(request: Request) -> str:
    return f"{request.sample_id} by {threading.current_thread().name}"


def ids(feed: Feed[str]) -> Iterator[str]:
    while fed := feed.take(wait=True):
        yield fed.request.sample_id


def feed_of(
    requests: Iterable[Request],
    prepare: Callable[[Request], str] = name,
    most: int = 8,
    most_bytes: int = MANY,
    count: int = 2,
) -> Feed[str]:
    return Feed(requests, workers(count, prepare), most, most_bytes)


def test_requests_are_taken_in_order_without_their_frames() -> None:
    requests = [request(video, query) for video in range(7) for query in range(3)]
    feed = feed_of(requests)
    taken = []
    while fed := feed.take(wait=True):
        taken.append(fed)
    assert [fed.request.sample_id for fed in taken] == [r.sample_id for r in requests]
    assert all(fed.request.frames is None for fed in taken)
    assert all(fed.prepared.result().startswith(fed.request.sample_id) for fed in taken)


def test_requests_on_one_video_go_to_one_worker_and_videos_to_all() -> None:
    feed = feed_of([request(video, query) for video in range(4) for query in range(3)])
    threads: dict[str, set[str]] = {}
    while fed := feed.take(wait=True):
        video = fed.request.sample_id.split("/")[0]
        threads.setdefault(video, set()).add(fed.prepared.result().split(" by ")[1])
    assert all(len(names) == 1 for names in threads.values())
    assert len(set().union(*threads.values())) == 2


def test_take_does_not_wait_for_the_stream() -> None:
    gate = threading.Event()

    def stream() -> Iterator[Request]:
        yield request(0, 0)
        gate.wait(10)
        yield request(0, 1)

    feed = feed_of(stream())
    assert feed.take(wait=True) is not None
    assert feed.take(wait=False) is None
    gate.set()
    assert list(ids(feed)) == ["v0/1"]


def test_take_does_not_wait_for_a_worker() -> None:
    gate = threading.Event()

    def slow(request: Request) -> str:
        gate.wait(10)
        return name(request)

    feed = feed_of([request(0, 0)], slow)
    assert feed.take(wait=False) is None
    gate.set()
    assert list(ids(feed)) == ["v0/0"]


@pytest.mark.parametrize(("most", "most_bytes", "expected"), [(4, MANY, 4), (99, 1, 1)])
def test_only_so_many_requests_are_read_ahead(most: int, most_bytes: int, expected: int) -> None:
    read = 0
    full = threading.Event()

    def stream() -> Iterator[Request]:
        nonlocal read
        for video in range(20):
            read += 1
            if read == expected:
                full.set()
            yield request(video, 0)

    with closing(feed_of(stream(), most=most, most_bytes=most_bytes)) as feed:
        assert full.wait(10)
        assert feed.take(wait=True) is not None
        assert feed.take(wait=True) is not None
        assert read <= expected + 2


def test_what_a_worker_raises_fails_one_request() -> None:
    def slip(request: Request) -> str:
        if request.sample_id == "v0/1":
            raise ValueError("too long")
        return name(request)

    feed = feed_of([request(0, query) for query in range(3)], slip)
    errors = []
    while fed := feed.take(wait=True):
        errors.append(str(fed.prepared.exception()))
    assert errors == ["None", "too long", "None"]


def test_what_the_stream_raises_comes_after_what_it_gave() -> None:
    def stream() -> Iterator[Request]:
        yield request(0, 0)
        raise RuntimeError("no more")

    taken = ids(feed_of(stream()))
    assert next(taken) == "v0/0"
    with pytest.raises(RuntimeError, match="no more"):
        next(taken)


def test_a_closed_feed_reads_and_prepares_no_more() -> None:
    gate = threading.Event()
    prepared: list[str] = []

    def slow(request: Request) -> str:
        gate.wait(10)
        prepared.append(request.sample_id)
        return ""

    pool = ThreadPoolExecutor(1)
    read = 0

    def stream() -> Iterator[Request]:
        nonlocal read
        for video in range(50):
            read += 1
            yield request(video, 0)

    feed = Feed(stream(), [Worker(pool, slow)], 5, MANY)
    while read < 5:
        pass
    feed.close()
    gate.set()
    pool.shutdown()
    assert read == 5
    assert len(prepared) <= 1
