"""Whether 95 % intervals hold the truth 95 times in 100, on made-up clustered data. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_coverage.py

Each value comes of a normal number with parts of its own and parts that all samples of a video
share (their share of the variance is `within`): a hit where it is low enough, or an IoU-like
value, cut off at 0 and 1. Of the shared and of the own part, half are common to both runs. So
the truth is known exactly. Every set of data is new; the resamples are the harness's own.
"""

import sys
from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from vtg_eval.difference import difference
from vtg_eval.stats import intervals, resampled_means

SETS, BATCH, RESAMPLES = 4000, 250, 2000
VIDEOS = (5, 10, 20, 50, 100, 300)
SIZES = ("4 each", "1 to 20, uneven", "20 each")
WITHIN = (0.1, 0.5)
KINDS = ("hits 40 %", "hits 10 %", "IoU")
LIFT = 0.3  # of the second run, in standard deviations of the normal numbers
NORMAL = NormalDist()


class Case(NamedTuple):
    """What the data are like."""

    kind: str
    sizes: str
    within: float


class Counts(NamedTuple):
    """Numbers of sets: whose intervals hold the truth, and whose p-value is at most 0.05."""

    plain: int
    shown: int
    paired: int
    null: int
    false: int


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else SETS
    cases = [Case(kind, sizes, w) for kind in KINDS for sizes in SIZES for w in WITHIN]
    found = [[simulate(case, videos, sets) for videos in VIDEOS] for case in cases]
    print(f"{sets} sets of data for each number, {RESAMPLES} resamples\n")
    for title, part in (
        ("one run, as in every table", "shown"),
        ("one run, plain percentiles instead", "plain"),
        ("difference of two runs, the second better", "paired"),
        ("difference of two runs, equally good", "null"),
        ("p at most 0.05, equally good runs", "false"),
    ):
        rows = [
            [*case, *(f"{100 * getattr(counts, part) / sets:.1f}" for counts in row)]
            for case, row in zip(cases, found, strict=True)
        ]
        headers = [title, "samples a video", "within", *(f"{videos} videos" for videos in VIDEOS)]
        print(tabulate(rows, headers, tablefmt="github", disable_numparse=True) + "\n", flush=True)


def simulate(case: Case, videos: int, sets: int) -> Counts:
    seed = [videos, KINDS.index(case.kind), SIZES.index(case.sizes), int(100 * case.within)]
    generator = np.random.default_rng(seed)
    batches = (batch(case, videos, generator) for _ in range(sets // BATCH))
    return Counts(*np.sum(list(batches), axis=0).tolist())


def batch(case: Case, videos: int, generator: np.random.Generator) -> Counts:
    cluster = np.repeat(np.arange(videos), draw_sizes(case.sizes, videos, generator))
    first, equal, better = runs(case, cluster, generator)
    single = resampled_means(first, cluster, resamples=RESAMPLES)
    truth = mean(case.kind, 0.0)
    lift = mean(case.kind, LIFT) - truth
    lows, highs = np.quantile(single, [0.025, 0.975], axis=0)
    plain = int(((lows <= truth) & (truth <= highs)).sum())
    shown = sum(low <= truth <= high for low, high in intervals(single, [videos] * BATCH))
    paired, null = (
        list(differences(d, resampled_means(d, cluster, resamples=RESAMPLES), videos))
        for d in (better - first, equal - first)
    )
    false = sum(found.p is not None and found.p <= 0.05 for found in null)
    return Counts(plain, shown, sum(map(holds(lift), paired)), sum(map(holds(0.0), null)), false)


def draw_sizes(sizes: str, videos: int, generator: np.random.Generator) -> np.ndarray:
    if sizes == "1 to 20, uneven":
        return np.minimum(generator.geometric(0.25, videos), 20)
    return np.full(videos, int(sizes.split()[0]))


def runs(case: Case, cluster: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield values of a run, of one that is as good, and of a better one, each [N, BATCH]."""
    videos, shape = cluster.max() + 1, (len(cluster), BATCH)
    common = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
    common += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
    for lift in (0.0, 0.0, LIFT):
        own = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
        own += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
        if case.kind == "IoU":
            yield np.clip(0.3 + 0.4 * (common + own + lift), 0, 1)
        else:
            yield (common + own < threshold(case.kind) + lift).astype(float)


def threshold(kind: str) -> float:
    return NORMAL.inv_cdf(0.4 if kind == "hits 40 %" else 0.1)


def mean(kind: str, lift: float) -> float:
    """Return the true mean: of hits, or of a normal number that is cut off at 0 and 1."""
    if kind != "IoU":
        return NORMAL.cdf(threshold(kind) + lift)
    middle, spread = 0.3 + 0.4 * lift, 0.4
    low, high = -middle / spread, (1 - middle) / spread
    inside = middle * (NORMAL.cdf(high) - NORMAL.cdf(low))
    return inside + spread * (NORMAL.pdf(low) - NORMAL.pdf(high)) + 1 - NORMAL.cdf(high)


def differences(values: np.ndarray, resampled: np.ndarray, videos: int) -> Iterator:
    for value, column in zip(values.mean(axis=0), resampled.T, strict=True):
        yield difference(float(value), np.ascontiguousarray(column), videos)


def holds(truth: float):
    return lambda found: (
        found.interval is not None
        and (found.interval.low - 1e-12 <= truth <= found.interval.high + 1e-12)
    )


if __name__ == "__main__":
    main()
