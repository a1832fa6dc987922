"""The pool of workers, with work that needs no model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from tests.run.test_leases import make_jobs
from vtg_eval.errors import EngineError, UserError
from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.process_pool import ProcessPool
from vtg_eval.run.usage import UsageMeter
from vtg_eval.run.worker_pool import WorkerPool

SLOW = "SLOW_WORKER"


class Naming:
    """Answers each sample with the assignment's name; may be slow, fail or end."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def answer(
        self,
        assignment: str,
        jobs: Iterator[VideoJob],
        started: Callable[[Mapping[str, Any]], None],
        keep: Callable[[Record], None],
        meter: UsageMeter,
    ) -> None:
        started({"name": "naming"})
        for job in jobs:
            meter.frames(stored=False)
            for sample in job.samples:
                time.sleep(float(os.environ.get(SLOW, "0")))
                if self.fault == "refuse":
                    raise UserError("It cannot go on.")
                if sample.id.startswith(self.fault or "never"):
                    os._exit(3)
                keep(Record(sample.id, job.video, Finish.STOP, assignment))

    def close(self) -> None:
        pass


def run(
    pool: WorkerPool[Any], name: str, jobs: Sequence[VideoJob]
) -> tuple[list[Any], list[Record]]:
    started: list[Any] = []
    kept: list[Record] = []
    pool.run(name, Leases(jobs), started.append, kept.append, UsageMeter())
    return started, kept


def test_workers_stay_for_the_next_run_and_take_over_from_a_slow_one() -> None:
    with closing(ProcessPool(Naming, [{SLOW: "0.3"}, {}])) as pool:
        for name in ("first", "second"):
            started, kept = run(pool, name, make_jobs(*[2] * 6))
            assert started == [{"name": "naming"}]
            assert sorted(record.id for record in kept) == [
                f"v{video}/{n}" for video in range(6) for n in range(2)
            ]
            assert {record.text for record in kept} == {name}


def test_workers_tell_their_usage() -> None:
    meter = UsageMeter()
    with closing(ProcessPool(Naming, [{}, {}])) as pool:
        run(pool, "first", make_jobs(1, 1))
        leases = Leases(make_jobs(*[2] * 5))
        pool.run("second", leases, lambda engine: None, lambda record: None, meter)
    assert 5 <= meter.usage().decoded <= 7  # one that is taken over is decoded twice


def test_a_video_that_ends_workers_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(ProcessPool(partial(Naming, "v1"), [{}, {}, {}])) as pool:
        _, kept = run(pool, "a", make_jobs(1, 1, 1, 1))
        assert pool.size == 1
    assert {record.id for record in kept if record.finish is Finish.ERROR} == {"v1/0"}
    assert len(kept) == 4
    assert capsys.readouterr().err.count("has ended. Its exit status is 3.") == 2


def test_no_worker_is_left() -> None:
    pool = ProcessPool(partial(Naming, "v"), [{}])
    with closing(pool), pytest.raises(EngineError, match="All workers have ended"):
        run(pool, "a", make_jobs(1, 1))


def test_what_no_worker_can_do_ends_the_run() -> None:
    pool = ProcessPool(partial(Naming, "refuse"), [{}, {}])
    with closing(pool), pytest.raises(UserError, match="It cannot go on"):
        run(pool, "a", make_jobs(1, 1))
