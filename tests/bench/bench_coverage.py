"""How often 95 % intervals contain the true value, on made-up clustered data. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_coverage.py

Each value comes from a normal variable with a part of the sample and a part shared by all samples
of a video (`within` is the share of variance of the latter): a hit where the variable is below a
threshold, or an IoU-like value clipped to 0 and 1. Half the variance of each part is common to
both runs. So the true value is known exactly. Every data set is new; the harness resamples.
"""

import sys
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from vtg_eval.statistics.bootstrap import Interval, Resampled, interval, resampled_means
from vtg_eval.statistics.difference import difference

SETS, BATCH = 4000, 250
VIDEOS = (5, 10, 20, 30, 50, 100, 300)
RESAMPLES, FEW, FEW_RESAMPLES = 2000, 20, 10_000  # more for FEW videos, with wide tails
SIZES = ("4 each", "1 to 20, uneven", "20 each")
WITHIN = (0.1, 0.5)
KINDS = ("hits 40 %", "hits 10 %", "IoU")
EFFECT = 0.3  # of the second run, in standard deviations of the normal variable
ROUNDING = 1e-12
NORMAL = NormalDist()


class Case(NamedTuple):
    """The distribution of the data."""

    kind: str
    sizes: str
    within: float


HARDER = (
    Case("hits 20 %", "1 each", 0.0),
    Case("hits 20 %", "1 to 60, uneven", 0.5),
    Case("hits 5 %", "4 each", 0.3),
    Case("hits 5 %", "1 to 60, uneven", 0.5),
    Case("hits 2 %", "4 each", 0.3),
)


class Counts(NamedTuple):
    """Numbers of data sets: with the true value in the interval, and with p at most 0.05."""

    plain: int
    single: int
    paired: int
    null: int
    false: int


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else SETS
    cases = [Case(kind, sizes, w) for kind in KINDS for sizes in SIZES for w in WITHIN]
    cases += HARDER
    counts_of_cases = [[simulate(case, videos, sets) for videos in VIDEOS] for case in cases]
    print(f"{sets} sets of data for each number\n")
    for title, part in (
        ("one run, as in every table", "single"),
        ("one run, plain percentiles instead", "plain"),
        ("difference of two runs, the second better", "paired"),
        ("difference of two runs, equally good", "null"),
        ("p at most 0.05, equally good runs", "false"),
    ):
        rows = [
            [*case, *(f"{100 * getattr(counts, part) / sets:.1f}" for counts in row)]
            for case, row in zip(cases, counts_of_cases, strict=True)
        ]
        headers = [title, "samples a video", "within", *(f"{videos} videos" for videos in VIDEOS)]
        print(tabulate(rows, headers, tablefmt="github", disable_numparse=True) + "\n", flush=True)


def simulate(case: Case, videos: int, sets: int) -> Counts:
    generator = np.random.default_rng([videos, *f"{case.kind} {case.sizes} {case.within}".encode()])
    batches = (batch(case, videos, generator) for _ in range(sets // BATCH))
    return Counts(*np.sum(list(batches), axis=0).tolist())


def batch(case: Case, videos: int, generator: np.random.Generator) -> Counts:
    cluster = np.repeat(np.arange(videos), draw_sizes(case.sizes, videos, generator))
    resamples = FEW_RESAMPLES if videos <= FEW else RESAMPLES

    def resampled(values: np.ndarray) -> Resampled:
        return resampled_means(values, cluster, resamples=resamples)

    first, equal, better = runs(case, cluster, generator)
    truth = mean(case.kind, 0.0)
    effect = mean(case.kind, EFFECT) - truth
    one_run = resampled(first)
    plain = map(Interval, *np.quantile(one_run.values, [0.025, 0.975], axis=0))
    single = (interval(column, videos) for column in one_run.columns())
    paired, null = (
        [
            difference(float(value), column, videos)
            for value, column in zip(d.mean(axis=0), resampled(d).columns(), strict=True)
        ]
        for d in (better - first, equal - first)
    )
    return Counts(
        plain=sum(map(contains(truth), plain)),
        single=sum(map(contains(truth), single)),
        paired=sum(map(contains(effect), (estimate.interval for estimate in paired))),
        null=sum(map(contains(0.0), (estimate.interval for estimate in null))),
        false=sum(estimate.p is not None and estimate.p <= 0.05 for estimate in null),
    )


def draw_sizes(sizes: str, videos: int, generator: np.random.Generator) -> np.ndarray:
    match sizes:
        case "1 to 20, uneven":
            return np.minimum(generator.geometric(0.25, videos), 20)
        case "1 to 60, uneven":
            return np.minimum(np.ceil(generator.lognormal(1.0, 1.0, videos)), 60).astype(int)
    return np.full(videos, int(sizes.removesuffix(" each")))


def runs(case: Case, cluster: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield values [N, BATCH] of a run, of an equally good one, and of a better one."""
    videos, shape = cluster.max() + 1, (len(cluster), BATCH)
    common = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
    common += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
    for effect in (0.0, 0.0, EFFECT):
        separate = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
        separate += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
        if case.kind == "IoU":
            yield np.clip(0.3 + 0.4 * (common + separate + effect), 0, 1)
        else:
            yield (common + separate < threshold(case.kind) + effect).astype(float)


def threshold(kind: str) -> float:
    return NORMAL.inv_cdf(int(kind.removeprefix("hits ").removesuffix(" %")) / 100)


def mean(kind: str, effect: float) -> float:
    """Return the true mean: of hits, or of a normal variable clipped to 0 and 1."""
    if kind != "IoU":
        return NORMAL.cdf(threshold(kind) + effect)
    middle, deviation = 0.3 + 0.4 * effect, 0.4
    low, high = -middle / deviation, (1 - middle) / deviation
    between = middle * (NORMAL.cdf(high) - NORMAL.cdf(low))
    return between + deviation * (NORMAL.pdf(low) - NORMAL.pdf(high)) + 1 - NORMAL.cdf(high)


def contains(truth: float) -> Callable[[Interval | None], bool]:
    """Return a test for `truth` in an interval, ends included: means of hits often equal them."""
    return lambda interval: (
        interval is not None and interval.low - ROUNDING <= truth <= interval.high + ROUNDING
    )


if __name__ == "__main__":
    main()
