"""The cost of exact resampled sums, against sums of totals that are not made exact.

Both are measured in turn in one process. By hand, on one core, in under a minute:

OMP_NUM_THREADS=1 taskset -c 0 python tests/bench/bench_resampling.py
"""

import statistics
import time
from unittest.mock import patch

import numpy as np

from vtg_eval.statistics.bootstrap import resampled_means

RUNS = 21
SIZES = ((40, 165, 8), (1334, 3720, 8), (4885, 17031, 20))  # videos, samples, metrics


def main() -> None:
    for videos, samples, metrics in SIZES:
        generator = np.random.default_rng(0)
        values = generator.random((samples, metrics))
        values[:, ::2] = values[:, ::2] > 0.5
        clusters = np.concatenate(
            [np.arange(videos), generator.integers(0, videos, samples - videos)]
        )
        exact, plain = [], []
        for _ in range(RUNS):
            exact.append(seconds(values, clusters))
            with patch("vtg_eval.statistics.bootstrap._exactly_addable", lambda totals: totals):
                plain.append(seconds(values, clusters))
        ratio = statistics.median(a / b for a, b in zip(exact, plain, strict=True))
        print(
            f"{samples} samples on {videos} videos, {metrics} metrics, 10,000 resamples: "
            f"{statistics.median(exact):.4f} s, inexact {statistics.median(plain):.4f} "
            f"s, ratio {ratio:.3f} (medians of {RUNS})",
            flush=True,
        )


def seconds(values: np.ndarray, clusters: np.ndarray) -> float:
    """Return how long resampling takes."""
    start = time.perf_counter()
    resampled_means(values, clusters)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
