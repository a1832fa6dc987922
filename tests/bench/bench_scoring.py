"""How long a score takes: ActivityNet Captions val_2 with intervals. By hand, on one core:

VTG_EVAL_BENCHMARKS=DIR OMP_NUM_THREADS=1 python tests/bench/bench_scoring.py
"""

import os
import random
import statistics
import time
from pathlib import Path

from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Prediction

RUNS = 5


def main() -> None:
    registry = Registry.discover()
    task = registry.task("activitynet_captions")
    samples = task.samples(Path(os.environ["VTG_EVAL_BENCHMARKS"]), "val_2")
    draw = random.Random(0)
    answers = [
        Prediction(s.id, text=f"From {draw.uniform(0, 60):.2f} to {draw.uniform(0, 120):.2f}")
        for s in samples
    ]
    print(f"{len(samples)} queries, 10,000 resamples, median of {RUNS}")
    for name in ("strict@2", "time-r1@1", "timelens@1", "vtimellm@1", "2d-tan@1", "tall@1"):
        protocol = registry.protocol_for(task.card, name, "val_2")
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            result = score(task.card, samples, answers, protocol, "val_2")
            scored = time.perf_counter()
            assert result.intervals
            times.append((scored - start, time.perf_counter() - scored))
        scoring, intervals = (statistics.median(part) for part in zip(*times, strict=True))
        print(f"{name:12} score {scoring:.2f} s, intervals {intervals:.2f} s")


if __name__ == "__main__":
    main()
