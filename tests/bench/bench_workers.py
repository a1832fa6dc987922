"""Times workers whose engine sleeps: what the pool itself costs.

python tests/bench/bench_workers.py [--repeats 5]

60 videos of 4 samples, 20 ms each; the workers have started before. Prints the ratio to one worker.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.run.test_leases import make_jobs
from tests.run.test_worker_pool import SLOW, Naming
from vtg_eval.run.leases import Leases
from vtg_eval.run.process_pool import ProcessPool


def seconds(pool: ProcessPool) -> float:
    """Return how long the pool takes."""
    start = time.perf_counter()
    pool.run("timed", Leases(make_jobs(*[4] * 60)), lambda engine: None, lambda record: None)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    sizes = (1, 2, 4)
    pools = [ProcessPool(Naming, [{SLOW: "0.02"}] * size) for size in sizes]
    with closing(pools[0]), closing(pools[1]), closing(pools[2]):
        for pool in pools:
            seconds(pool)  # until all have started
        rounds = [[seconds(pool) for pool in pools] for _ in range(args.repeats)]
    rows = [
        [size, median(times[column] for times in rounds), median(t[0] / t[column] for t in rounds)]
        for column, size in enumerate(sizes)
    ]
    print(tabulate(rows, ["workers", "s", "1 / this"], tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
