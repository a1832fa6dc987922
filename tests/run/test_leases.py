"""Leases: every sample is answered once, whatever happens to the workers."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import MOST_RETURNS, Leases
from vtg_eval.run.plan import VideoJob
from vtg_eval.types import Sample, Target


def make_jobs(*counts: int) -> list[VideoJob]:
    """Return jobs v0, v1, … with so many samples each."""
    return [
        VideoJob(
            f"v{number}",
            Path(f"v{number}.mp4"),
            tuple(Sample(f"v{number}/{n}", f"v{number}", "", Target()) for n in range(count)),
        )
        for number, count in enumerate(counts)
    ]


def answer(leases: Leases, job: VideoJob, count: int | None = None) -> list[bool]:
    records = [Record(sample.id, job.video, Finish.STOP) for sample in job.samples[:count]]
    return [leases.answer(record) for record in records]


def test_videos_are_given_in_order_and_once() -> None:
    leases = Leases(make_jobs(2, 1, 1))
    jobs = [leases.lease(worker) for worker in ("a", "b", "a", "b")]
    assert [job.video if job else None for job in jobs] == ["v0", "v1", "v2", None]
    assert not leases.done
    for job in jobs[:3]:
        assert job is not None
        assert all(answer(leases, job))
    assert leases.done


def test_the_rest_of_a_lost_workers_video_goes_to_another() -> None:
    leases = Leases(make_jobs(3, 1))
    job = leases.lease("a")
    assert job is not None
    answer(leases, job, 2)
    assert leases.release("a") == []
    again = leases.lease("b")
    assert again is not None
    assert [sample.id for sample in again.samples] == ["v0/2"]


def test_a_video_that_workers_are_lost_over_is_given_up() -> None:
    leases = Leases(make_jobs(2))
    for number in range(MOST_RETURNS):
        assert leases.lease(f"worker {number}") is not None
        records = leases.release(f"worker {number}")
    assert [(record.id, record.finish) for record in records] == [
        ("v0/0", Finish.ERROR),
        ("v0/1", Finish.ERROR),
    ]
    assert leases.done


def test_who_has_nothing_takes_over_what_comes_last_and_the_first_answer_counts() -> None:
    leases = Leases(make_jobs(1, 1, 1))
    held = [leases.lease("a") for _ in range(3)]
    assert leases.lease("b") is None
    taken = leases.take_over("b")
    assert taken is not None
    assert taken == held[-1]
    second = leases.take_over("c")
    assert second is not None
    assert second == held[-2]  # the last one is with two workers already
    assert answer(leases, taken) == [True]
    assert answer(leases, taken) == [False]
    assert leases.take_over("a") is None or leases.take_over("a") != taken


def test_a_worker_is_not_given_what_it_has_when_who_took_it_over_is_lost() -> None:
    leases = Leases(make_jobs(2))
    assert leases.lease("slow") == leases.take_over("fast")
    assert leases.release("fast") == []
    assert leases.lease("slow") is None
    assert leases.take_over("slow") is None
    assert leases.take_over("other") is not None


def test_a_video_whose_two_workers_are_lost_is_given_up_and_others_go_on() -> None:
    leases = Leases(make_jobs(1, 1))
    for video in ("v0", "v1"):
        job = leases.lease("slow")
        assert job is not None and job.video == video
    taken = leases.take_over("fast")
    assert taken is not None and taken.video == "v1"
    assert leases.release("fast") == []
    assert [record.video for record in leases.release("slow")] == ["v1"]  # the second return
    again = leases.lease("other")
    assert again is not None and again.video == "v0"


@given(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers())
def test_every_sample_has_one_record(workers: int, counts: list[int], seed: int) -> None:
    choose = random.Random(seed)
    leases, kept = Leases(make_jobs(*counts)), list[str]()
    held: dict[str, list[VideoJob]] = {f"w{number}": [] for number in range(workers)}
    while not leases.done:
        name = choose.choice(list(held))
        if choose.random() < 0.2:
            kept += [record.id for record in leases.release(name)]
            held[name] = []
            continue
        if job := leases.lease(name) or (None if held[name] else leases.take_over(name)):
            assert all(job.video != other.video for other in held[name])
            held[name].append(job)
        if held[name]:
            job = held[name].pop(0)
            records = [Record(sample.id, job.video, Finish.STOP) for sample in job.samples]
            kept += [record.id for record in records if leases.answer(record)]
    assert sorted(kept) == sorted(sample.id for job in make_jobs(*counts) for sample in job.samples)
