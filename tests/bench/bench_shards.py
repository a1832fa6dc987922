"""How equal shards are: the heaviest one's visual frames, divided by the mean of all shards.

`python -m tests.bench.bench_shards DATA_ROOT`, with the annotations of benchmarks; no videos.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from vtg_eval.annotations.split import read_split
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.estimate import _frames
from vtg_eval.run.plan import VideoJob, make_plan
from vtg_eval.run.shards import divided

TASKS = "charades_sta qvhighlights activitynet_captions didemo tacos nextgqa rextime cgbench mlvu"
SHARDS = (8, 32)


def main(root: Path) -> None:
    """Print a row for each task with annotations in `root`."""
    rows = []
    registry = Registry.discover()
    for name in TASKS.split():
        task = registry.task(name)
        split = task.card.split(None)
        try:
            samples = read_split(task, root, split)
        except UserError:
            continue
        jobs = make_plan(task, root, samples, needs_videos=False).jobs
        rule = registry.protocol_for(task.card, None, split).frames
        costs = [_frames(job, rule) * len(job.samples) for job in jobs]
        figures = [
            _excess(weights, costs, of)
            for of in SHARDS
            for weights in ([job.weight for job in jobs], *_others(jobs))
        ]
        rows.append([name, len(jobs), len(samples), *figures])
    kinds = ("weight", "samples", "seconds")
    headers = ["task", "jobs", "samples", *(f"{kind}, {of}" for of in SHARDS for kind in kinds)]
    print(tabulate(rows, headers, floatfmt=".3f", tablefmt="github"))


def _others(jobs: Sequence[VideoJob]) -> tuple[list[float], list[float]]:
    """Return other weights of the jobs: their samples, and those times their full duration."""
    counts = [float(len(job.samples)) for job in jobs]
    return counts, [job.duration * count for job, count in zip(jobs, counts, strict=True)]


def _excess(weights: Sequence[float], costs: Sequence[float], of: int) -> float:
    loads = [0.0] * of
    for part, cost in zip(divided(weights, of), costs, strict=True):
        loads[part] += cost
    return max(loads) / (sum(loads) / of)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
