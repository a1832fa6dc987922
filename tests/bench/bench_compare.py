"""How long `vtg-eval compare` takes: two runs on ActivityNet Captions val_2, from start to exit.

The answers are made up; each has the frame times of 0 or of 128 frames.
By hand, on one core:

VTG_EVAL_BENCHMARKS=DIR OMP_NUM_THREADS=1 taskset -c 0 python tests/bench/bench_compare.py
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from vtg_eval.cli import main as vtg_eval
from vtg_eval.run.journal import read_journal

RUNS = 5
COMMAND = (sys.executable, "-c", "import sys; from vtg_eval.cli import main; sys.exit(main())")


def main() -> None:
    root = os.environ["VTG_EVAL_BENCHMARKS"]
    for frames in (0, 128):
        with tempfile.TemporaryDirectory() as folder:
            paths = [make_run(Path(folder), root, seed, frames) for seed in (0, 1)]
            times = [
                measure([*COMMAND, "compare", *paths, "--data-root", root]) for _ in range(RUNS)
            ]
        walls, cpus = zip(*times, strict=True)
        print(
            f"17031 samples, 10,000 resamples, {frames} frame times an answer: "
            f"{statistics.median(walls):.2f} s, processor time {statistics.median(cpus):.2f} s "
            f"(medians of {RUNS}; slowest {max(walls):.2f} s)",
            flush=True,
        )


def make_run(folder: Path, root: str, seed: int, frames: int) -> str:
    """Make a run of a blind baseline; replace its answers by a model's, with frame times."""
    path = folder / f"run{seed}"
    arguments = ["run", "--model", "baseline:random", "--tasks", "activitynet_captions"]
    vtg_eval([*arguments, "--data-root", root, "--out", str(path), "--quiet"])
    draw = random.Random(seed)
    records = read_journal(path / "journal.jsonl").values()
    with (path / "journal.jsonl").open("wb") as file:
        for record in records:
            start = draw.uniform(0, 60)
            text = (
                f"The event happens from {start:.1f} to {start + draw.uniform(1, 90):.1f} seconds."
            )
            times = tuple(k * draw.uniform(0.4, 0.5) for k in range(frames))
            answered = replace(record, text=text, frame_times=times, model_times=times[::2])
            file.write(answered.to_line())
    return str(path)


def measure(command: list[str]) -> tuple[float, float]:
    """Return wall-clock seconds and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
