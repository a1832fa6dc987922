"""Times workers whose engine sleeps: what the pool itself costs.

python tests/bench/bench_workers.py [--repeats 5] [--ray]

60 videos of 4 samples, 20 ms each; the workers have started before. Prints the ratio to one worker.
--ray: actors of a Ray on this machine in place of processes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.run.test_leases import make_jobs
from tests.run.test_worker_pool import SLOW, Naming
from vtg_eval.run.leases import Leases
from vtg_eval.run.process_pool import ProcessPool
from vtg_eval.run.ray_cluster import LOCAL, WorkerShare, connect
from vtg_eval.run.ray_pool import RayPool
from vtg_eval.run.usage import UsageMeter
from vtg_eval.run.worker_pool import WorkerPool

REPOSITORY = Path(__file__).parents[2]
SIZES = (1, 2, 4)
Pools = Sequence[WorkerPool[Any]]


def seconds(pool: WorkerPool[Any]) -> float:
    """Return how long the pool takes."""
    start = time.perf_counter()
    leases = Leases(make_jobs(*[4] * 60))
    pool.run("timed", leases, lambda engine: None, lambda record: None, UsageMeter())
    return time.perf_counter() - start


def make_pools(ray: bool) -> Pools:
    """Return a pool of each size."""
    slow = {SLOW: "0.02"}
    if not ray:
        return [ProcessPool(Naming, [slow] * size) for size in SIZES]
    os.environ["PYTHONPATH"] = str(REPOSITORY)  # of the actors
    connect(LOCAL)
    return [RayPool(Naming, WorkerShare(size, cpus=0, gpus=0), slow) for size in SIZES]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ray", action="store_true")
    args = parser.parse_args()
    with ExitStack() as stack:
        pools = [stack.enter_context(closing(pool)) for pool in make_pools(args.ray)]
        for pool in pools:
            seconds(pool)  # until all have started
        rounds = [[seconds(pool) for pool in pools] for _ in range(args.repeats)]
    rows = [
        [size, median(times[column] for times in rounds), median(t[0] / t[column] for t in rounds)]
        for column, size in enumerate(SIZES)
    ]
    print(tabulate(rows, ["workers", "s", "1 / this"], tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
