"""Laws of the simulation of large runs, at small size."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.scale.rules import RULES
from tests.bench.scale.simulation import Cluster, Outcome, Simulation
from tests.bench.scale.workload import Costs, Workload, make_workload

SCRIPT = Path(__file__).with_name("bench_scale.py")
CLUSTER = Cluster(workers=8, threads=4, slow=0.25)
SEEDS = range(3)
VIDEOS, QUERIES = 120, 5


def work_of(seed: int) -> Workload:
    return make_workload(VIDEOS, QUERIES, Costs(), seed)


def simulate(work: Workload, cluster: Cluster, rule: str = "leases", seed: int = 0) -> Outcome:
    return Simulation(work, cluster, RULES[rule](work.jobs, cluster.workers), seed).run()


def longest(work: Workload) -> float:
    """The seconds of the video that takes longest, on the slowest worker."""
    samples = max(len(job.samples) for job in work.jobs)
    engine = work.vision + samples * work.query
    return (max(work.decode.values()) + engine) / CLUSTER.slow_speed


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_sample_is_answered_once_and_no_faster_than_the_work_allows(
    rule: str, seed: int
) -> None:
    work = work_of(seed)
    outcome = simulate(work, CLUSTER, rule)
    assert outcome.finished
    assert outcome.answered == sum(len(job.samples) for job in work.jobs)
    assert outcome.given_up == outcome.deaths == 0
    assert outcome.end >= CLUSTER.ideal(work)
    assert outcome.cores >= work.core_seconds * (1 - 1e-9)
    assert (outcome.repeated == 0) or outcome.taken_over


@pytest.mark.parametrize("seed", SEEDS)
def test_a_take_over_costs_at_most_the_time_of_one_video(seed: int) -> None:
    work = work_of(seed)
    alone = simulate(work, CLUSTER, "leases without take-over")
    assert simulate(work, CLUSTER).end <= alone.end + longest(work)


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_deaths_each_sample_is_answered_or_given_up(seed: int, replaced: bool) -> None:
    work = work_of(seed)
    deaths = 3600 / (2 * CLUSTER.ideal(work))  # about four of eight workers
    cluster = replace(CLUSTER, deaths=deaths, replaced=replaced, start=10.0)
    outcome = simulate(work, cluster, seed=seed)
    assert outcome.deaths
    assert outcome.finished
    assert outcome.answered + outcome.given_up == sum(len(job.samples) for job in work.jobs)


def test_without_a_worker_the_run_stops() -> None:
    outcome = simulate(work_of(0), replace(CLUSTER, deaths=1e5, replaced=False))
    assert outcome.deaths == CLUSTER.workers
    assert not outcome.finished


def test_a_video_costs_what_is_decoded_of_it() -> None:
    costs = Costs(packet=1.0, probe=0.0, group=50, frames=10)
    assert costs.decode(1_000) == pytest.approx(10 * 26)  # half a group for each frame
    assert costs.decode(0.4) == pytest.approx(10)  # all ten
    assert replace(costs, frames=1000).decode(80) == pytest.approx(2000, rel=0.02)


def test_the_table_has_a_row_for_each_case() -> None:
    sizes = ("--videos", "40", "--queries", "3", "--workers", "4", "--seeds", "2")
    done = subprocess.run((sys.executable, str(SCRIPT), *sizes), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2 * len(RULES) + 3
    assert "40 videos, 40 hours, 120 queries" in done.stdout
