"""Workers on a Ray cluster of two nodes, with work that needs no model."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

import vtg_eval.run.ray_pool
from tests.ray_case import SmallCluster
from tests.run.test_leases import make_jobs
from tests.run.test_worker_pool import SLOW, Naming, run
from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.leases import Leases
from vtg_eval.run.ray_cluster import WorkerShare, connect
from vtg_eval.run.ray_pool import RayPool
from vtg_eval.run.usage import UsageMeter
from vtg_eval.run.worker import MakeWork

pytestmark = pytest.mark.xdist_group("ray")


@contextmanager
def ray_pool(cluster: SmallCluster, make: MakeWork, slow: str = "0") -> Iterator[RayPool]:
    before = signal.getsignal(signal.SIGTERM)
    assert connect(cluster.address)
    assert signal.getsignal(signal.SIGTERM) is before
    pool = RayPool(make, WorkerShare(2, cpus=1, gpus=0), {SLOW: slow}, disconnect=True)
    try:
        yield pool
    finally:
        pool.close()


def test_workers_stay_for_the_next_run(
    ray_cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vtg_eval.run.ray_pool, "PATIENCE", 0.01)
    with ray_pool(ray_cluster, Naming) as pool:
        for name in ("first", "second"):
            started, kept = run(pool, name, make_jobs(*[2] * 6))
            assert started == [{"name": "naming"}]
            assert sorted(record.id for record in kept) == [
                f"v{video}/{n}" for video in range(6) for n in range(2)
            ]
            assert {record.text for record in kept} == {name}
    assert capsys.readouterr().err.count("Each needs 1 CPUs and 0 GPUs") == 1


def test_a_worker_that_dies_is_replaced_and_its_video_given_up_at_last(
    ray_cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with ray_pool(ray_cluster, partial(Naming, "v1")) as pool:
        _, kept = run(pool, "a", make_jobs(1, 1, 1, 1))
        assert pool.size == 2
    assert {record.id for record in kept if record.finish is Finish.ERROR} == {"v1/0"}
    assert len(kept) == 4
    assert "takes its place." in capsys.readouterr().err


def test_what_a_lost_node_had_is_answered_by_another(ray_cluster: SmallCluster) -> None:
    jobs = make_jobs(*[2] * 10)
    kept: list[Record] = []

    def keep(record: Record) -> None:
        kept.append(record)
        if len(kept) == 6:
            ray_cluster.remove_node()

    with ray_pool(ray_cluster, Naming, slow="0.2") as pool:
        pool.run("a", Leases(jobs), lambda engine: None, keep, UsageMeter())
    assert sorted(record.id for record in kept) == sorted(s.id for j in jobs for s in j.samples)
    assert {record.finish for record in kept} == {Finish.STOP}
