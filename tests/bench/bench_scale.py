"""Simulates a large run: how long, how idle, what is done twice, by rule and kind of trouble.

python tests/bench/bench_scale.py [--videos 100000] [--queries 10] [--frames 768] [--seeds 5]

Leases and their alternatives are those of `tests/bench/scale/rules.py`; `Leases` is the real class.
Lengths and numbers of questions are log-normal. `ideal`: all work, divided by all speed. `idle`:
of the time of all workers. `twice`: what was decoded beyond once each video. Medians over the
seeds, with the range. The default size takes about 10 s of a core for each seed and row.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.scale.rules import RULES
from tests.bench.scale.simulation import Cluster, Outcome, Simulation
from tests.bench.scale.workload import Costs, Workload, make_workload

LEASES = "leases"
SLOW = 0.05


@dataclass(frozen=True)
class Case:
    """A row: what happens to the workers, and by which rule they work."""

    trouble: str
    cluster: Cluster
    rule: str = LEASES

    def run(self, work: Workload, seed: int) -> Row:
        """Simulate it once."""
        rule = RULES[self.rule](work.jobs, self.cluster.workers)
        outcome = Simulation(work, self.cluster, rule, seed).run()
        return Row(outcome, work, self.cluster)


@dataclass(frozen=True)
class Row:
    """An outcome and what it is compared with."""

    outcome: Outcome
    work: Workload
    cluster: Cluster

    def figures(self) -> list[float]:
        """Return the columns of the table."""
        outcome = self.outcome
        time = outcome.end * self.cluster.workers
        return [
            outcome.end / self.cluster.ideal(self.work),
            100 * outcome.idle / time,
            100 * max(outcome.cores / self.work.core_seconds - 1, 0.0),
            outcome.deaths,
            outcome.given_up,
            outcome.messages / outcome.end,
        ]


HEADERS = ("time / ideal", "idle, %", "twice, %", "deaths", "given up", "messages/s")
FORMATS = ("{:.3f}", "{:.1f}", "{:.2f}", "{:.0f}", "{:.0f}", "{:.0f}")


def cases(cluster: Cluster) -> list[Case]:
    """Return the rows."""
    slow = replace(cluster, slow=SLOW)
    dying = replace(slow, deaths=0.1)
    rows = [Case("none", cluster, rule) for rule in RULES]
    rows += [Case(f"{SLOW:.0%} at half speed", slow, rule) for rule in RULES]
    rows += [
        Case("and 0.1 deaths/h, replaced", dying),
        Case("and 0.1 deaths/h, not replaced", replace(dying, replaced=False)),
        Case("and 1 death/h, replaced", replace(dying, deaths=1.0)),
    ]
    return rows


def summary(values: Sequence[float], form: str) -> str:
    """Return the median, with the range where there is one."""
    low, middle, high = (form.format(f(values)) for f in (min, median, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(rows: Sequence[Case], make: Callable[[int], Workload], seeds: int) -> str:
    """Simulate all rows with all seeds; returns Markdown."""
    figures: list[list[list[float]]] = [[] for _ in rows]
    for seed in range(seeds):
        work = make(seed)
        for row, case in zip(figures, rows, strict=True):
            row.append(case.run(work, seed).figures())
        del work  # before the next is drawn
    lines = [
        [case.trouble, case.rule, *map(summary, zip(*row, strict=True), FORMATS)]
        for case, row in zip(rows, figures, strict=True)
    ]
    return tabulate(lines, ["trouble", "rule", *HEADERS], tablefmt="github", disable_numparse=True)


def main() -> None:
    """Print what is simulated, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--queries", type=float, default=10, help="for each video, on average")
    parser.add_argument("--frames", type=int, default=Costs().frames, help="of each video")
    parser.add_argument("--key-every", type=int, default=Costs().group, help="frames")
    parser.add_argument("--workers", type=int, default=Cluster().workers)
    parser.add_argument("--seeds", type=int, default=5, help="0: no table")
    args = parser.parse_args()
    gc.disable()  # millions of objects without cycles
    costs, cluster = Costs(frames=args.frames, group=args.key_every), Cluster(workers=args.workers)
    rows = cases(cluster)

    def make(seed: int) -> Workload:
        return make_workload(args.videos, args.queries, costs, seed)

    work = make(0)
    print(
        f"{args.videos:,} videos, {sum(job.duration for job in work.jobs) / 3600:,.0f} hours, "
        f"{sum(len(job.samples) for job in work.jobs):,} queries; {work.core_seconds / 3600:,.0f} "
        f"core hours, {work.engine_seconds / 3600:,.0f} engine hours; {cluster.workers} workers "
        f"of {cluster.threads} threads; ideal {cluster.ideal(work) / 3600:.2f} h\n"
    )
    del work
    if args.seeds:
        print(table(rows, make, args.seeds))


if __name__ == "__main__":
    main()
