"""How often intervals of derived metrics contain the true value. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_derived_coverage.py

Hits as in bench_coverage.py, four samples a video, a third of the variance shared. "macro mean":
each sample has one group, the metric is the mean of the groups' shares of hits. "least ratio":
CG-Bench's recovery rate, the share of hits in one metric over that in another of the same samples.
"""

import sys
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from tabulate import tabulate

from vtg_eval.scoring.table import Derived
from vtg_eval.statistics.bootstrap import interval, resampled_means

SETS, RESAMPLES = 4000, 2000
VIDEOS = (30, 50, 100, 300)
SAMPLES_PER_VIDEO, WITHIN = 4, 0.3
ROUNDING = 1e-9
NORMAL = NormalDist()

Columns = tuple[np.ndarray, np.ndarray]
"""Values and what counts, each [N, M]."""


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else SETS
    rows = [
        [name, ", ".join(f"{100 * p:g} %" for p in shares)]
        + [f"{simulate(rule, shares, generate, videos, sets):.1f}" for videos in VIDEOS]
        for name, rule, shares, generate in (
            ("macro mean", "mean", (0.1, 0.4, 0.8), in_groups),
            ("macro mean", "mean", (0.05, 0.1, 0.4, 0.6, 0.8), in_groups),
            ("least ratio", "least ratio", (0.3, 0.5), side_by_side),
            ("least ratio", "least ratio", (0.05, 0.2), side_by_side),
        )
    ]
    print(f"{sets} sets of data for each number, {RESAMPLES} resamples\n")
    headers = ["metric", "shares of hits", *(f"{videos} videos" for videos in VIDEOS)]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def simulate(
    rule: Any,
    shares: tuple[float, ...],
    generate: Callable[[tuple[float, ...], np.ndarray, np.random.Generator], Columns],
    videos: int,
    sets: int,
) -> float:
    """Return in how many of 100 data sets the interval contains the true value."""
    generator = np.random.default_rng([videos, *(int(100 * share) for share in shares)])
    cluster = np.repeat(np.arange(videos), SAMPLES_PER_VIDEO)
    names = tuple(map(str, range(len(shares))))
    derived = Derived(names, rule)
    truth = derived.figure({name: 100 * share for name, share in zip(names, shares, strict=True)})
    covered = 0
    for _ in range(sets):
        values, counted = generate(shares, cluster, generator)
        low, high = interval(
            resampled_means(values, cluster, counted, resamples=RESAMPLES).each(
                lambda means: derived.figures(dict(zip(names, 100 * means.T, strict=True)))
            ),
            videos,
        )
        covered += low - ROUNDING <= truth <= high + ROUNDING
    return 100 * covered / sets


def in_groups(
    shares: tuple[float, ...], cluster: np.ndarray, generator: np.random.Generator
) -> Columns:
    group = generator.integers(0, len(shares), len(cluster))
    counted = group[:, None] == np.arange(len(shares))
    hits = latent(cluster, generator)[:, None] < thresholds(shares)
    return counted * hits * 1.0, counted


def side_by_side(
    shares: tuple[float, ...], cluster: np.ndarray, generator: np.random.Generator
) -> Columns:
    common = latent(cluster, generator)
    variables = [(common + latent(cluster, generator)) / 2**0.5 for _ in shares]
    hits = np.stack(variables, axis=1) < thresholds(shares)
    return hits * 1.0, np.ones(hits.shape, dtype=np.bool_)


def latent(cluster: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    shared = generator.standard_normal(cluster.max() + 1)[cluster]
    return WITHIN**0.5 * shared + (1 - WITHIN) ** 0.5 * generator.standard_normal(len(cluster))


def thresholds(shares: tuple[float, ...]) -> np.ndarray:
    return np.array([NORMAL.inv_cdf(share) for share in shares])


if __name__ == "__main__":
    main()
