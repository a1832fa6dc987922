"""The harness's own time for each sample: a run whose answers cost nothing, on generated data.

OMP_NUM_THREADS=1 python tests/bench/bench_harness.py

A blind baseline on annotations in ActivityNet Captions' format, from the arguments to results.json,
in one process and without imports. Times are the processor's, which other work changes little. The
parts are those of the run that took the median of them.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from vtg_eval.cli import main as vtg_eval

SIZES = (100, 1_000, 10_000, 17_031)
REPEATS = {100: 15, 1_000: 7}  # of larger sizes: 3
QUERIES = 3  # for each video
PARTS = {  # functions that do not call one another
    "plug-ins": "vtg_eval.cli.program:Registry.discover",
    "annotations": "vtg_eval.run.setup:read_split",
    "annotations' digest": "vtg_eval.run.setup:annotation_digest",
    "plan": "vtg_eval.run.runner:make_plan",
    "ask and journal": "vtg_eval.run.executor:run_inference",
    "read the journal": "vtg_eval.run.runner:read_journal",
    "score": "vtg_eval.run.results:score_answers",
    "other protocols": "vtg_eval.run.results:scores_across_protocols",
    "their differences": "vtg_eval.run.results:protocol_scores",
    "floors": "vtg_eval.run.results:task_floors",
    "intervals": "vtg_eval.scoring.score:bootstrap",
    "groups": "vtg_eval.run.results:by_group",
    "sample results": "vtg_eval.run.results:_sample_results",
    "results as JSON": "vtg_eval.run.results:TaskResults.to_json",
    "write JSON": "vtg_eval.run.runner:write_json",
}


class Run(NamedTuple):
    """Processor seconds of a whole run and of each part, and the wall seconds of the whole."""

    total: float
    wall: float
    parts: dict[str, float]


def write_annotations(root: Path, count: int) -> None:
    """Write as many queries, three for each video, as val_2 of ActivityNet Captions has them."""
    draw = random.Random(0)
    table = {}
    for first in range(0, count, QUERIES):
        duration = round(draw.uniform(30, 240), 2)
        queries = range(first, min(first + QUERIES, count))
        table[f"v_{first:011}"] = {
            "duration": duration,
            "timestamps": [sorted(draw.uniform(0, duration) for _ in "ab") for _ in queries],
            "sentences": [f"a person does the thing with number {query}." for query in queries],
        }
    folder = root / "activitynet_captions"
    folder.mkdir(parents=True)
    (folder / "val_2.json").write_text(json.dumps(table), encoding="utf-8")


def timed(function: Callable[..., Any], part: str, parts: dict[str, float]) -> Callable[..., Any]:
    """Return the function, which then adds its processor seconds to those of a part."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            parts[part] += time.process_time() - start

    return call


def run(root: Path, out: Path) -> Run:
    """Make one run and time it."""
    arguments = ["--model", "baseline:random", "--tasks", "activitynet_captions", "--quiet"]
    arguments += ["--split", "val_2", "--data-root", str(root), "--out", str(out)]
    parts = dict.fromkeys(PARTS, 0.0)
    with ExitStack() as stack:
        for part, target in PARTS.items():
            module, name = target.split(":")
            owner = reduce(getattr, name.split(".")[:-1], import_module(module))
            attribute = name.split(".")[-1]
            function = timed(getattr(owner, attribute), part, parts)
            stack.enter_context(patch.object(owner, attribute, function))
        start, used = time.perf_counter(), time.process_time()
        status = vtg_eval(arguments)
        total, wall = time.process_time() - used, time.perf_counter() - start
    assert status == 0
    return Run(total, wall, parts)


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    runs: dict[int, Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            root = Path(folder, str(size))
            write_annotations(root, size)
            run(root, root / "first")  # imports
            made = [run(root, root / str(k)) for k in range(REPEATS.get(size, 3))]
            runs[size] = sorted(made, key=lambda each: each.total)[len(made) // 2]
    print("processor microseconds for each sample, medians")
    print(f"{'samples':24}" + "".join(f"{size:>10,}" for size in sizes))
    for part in PARTS:
        times = [runs[size].parts[part] / size * 1e6 for size in sizes]
        print(f"{part:24}" + "".join(f"{value:10.1f}" for value in times))
    rest = [(runs[n].total - sum(runs[n].parts.values())) / n * 1e6 for n in sizes]
    print(f"{'the rest':24}" + "".join(f"{value:10.1f}" for value in rest))
    print(f"{'all':24}" + "".join(f"{runs[n].total / n * 1e6:10.1f}" for n in sizes))
    print(f"{'all, wall time':24}" + "".join(f"{runs[n].wall / n * 1e6:10.1f}" for n in sizes))


if __name__ == "__main__":
    main()
