"""Whether 95 % intervals hold the truth 95 times in 100, on made-up clustered data. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_coverage.py

Each value comes of a normal number with parts of its own and parts that all samples of a video
share (their share of the variance is `within`): a hit where it is low enough, or an IoU-like
value, cut off at 0 and 1. Of the shared and of the own part, half are common to both runs. So
the truth is known exactly. Every set of data is new; the resamples are the harness's own.
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
RESAMPLES, FEW, ENDS = 2000, 20, 10_000  # ENDS: for few videos, whose intervals end far out
SIZES = ("4 each", "1 to 20, uneven", "20 each")
WITHIN = (0.1, 0.5)
KINDS = ("hits 40 %", "hits 10 %", "IoU")
LIFT = 0.3  # of the second run, in standard deviations of the normal numbers
ROUNDING = 1e-12
NORMAL = NormalDist()


class Case(NamedTuple):
    """What the data are like."""

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
    """Numbers of sets: whose intervals hold the truth, and whose p-value is at most 0.05."""

    plain: int
    shown: int
    paired: int
    null: int
    false: int


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else SETS
    cases = [Case(kind, sizes, w) for kind in KINDS for sizes in SIZES for w in WITHIN]
    cases += HARDER
    found = [[simulate(case, videos, sets) for videos in VIDEOS] for case in cases]
    print(f"{sets} sets of data for each number\n")
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
    generator = np.random.default_rng([videos, *f"{case.kind} {case.sizes} {case.within}".encode()])
    batches = (batch(case, videos, generator) for _ in range(sets // BATCH))
    return Counts(*np.sum(list(batches), axis=0).tolist())


def batch(case: Case, videos: int, generator: np.random.Generator) -> Counts:
    cluster = np.repeat(np.arange(videos), draw_sizes(case.sizes, videos, generator))
    resamples = ENDS if videos <= FEW else RESAMPLES

    def resampled(values: np.ndarray) -> Resampled:
        return resampled_means(values, cluster, resamples=resamples)

    first, equal, better = runs(case, cluster, generator)
    truth = mean(case.kind, 0.0)
    effect = mean(case.kind, LIFT) - truth
    single = resampled(first)
    plain = map(Interval, *np.quantile(single.values, [0.025, 0.975], axis=0))
    shown = (interval(column, videos) for column in single.columns())
    paired, null = (
        [
            difference(float(value), column, videos)
            for value, column in zip(d.mean(axis=0), resampled(d).columns(), strict=True)
        ]
        for d in (better - first, equal - first)
    )
    return Counts(
        plain=sum(map(holds(truth), plain)),
        shown=sum(map(holds(truth), shown)),
        paired=sum(map(holds(effect), (each.interval for each in paired))),
        null=sum(map(holds(0.0), (each.interval for each in null))),
        false=sum(each.p is not None and each.p <= 0.05 for each in null),
    )


def draw_sizes(sizes: str, videos: int, generator: np.random.Generator) -> np.ndarray:
    match sizes:
        case "1 to 20, uneven":
            return np.minimum(generator.geometric(0.25, videos), 20)
        case "1 to 60, uneven":
            return np.minimum(np.ceil(generator.lognormal(1.0, 1.0, videos)), 60).astype(int)
    return np.full(videos, int(sizes.removesuffix(" each")))


def runs(case: Case, cluster: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield values of a run, of one that is as good, and of a better one, each [N, BATCH]."""
    videos, shape = cluster.max() + 1, (len(cluster), BATCH)
    common = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
    common += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
    for effect in (0.0, 0.0, LIFT):
        own = generator.standard_normal((videos, BATCH))[cluster] * np.sqrt(case.within / 2)
        own += generator.standard_normal(shape) * np.sqrt((1 - case.within) / 2)
        if case.kind == "IoU":
            yield np.clip(0.3 + 0.4 * (common + own + effect), 0, 1)
        else:
            yield (common + own < threshold(case.kind) + effect).astype(float)


def threshold(kind: str) -> float:
    return NORMAL.inv_cdf(int(kind.removeprefix("hits ").removesuffix(" %")) / 100)


def mean(kind: str, effect: float) -> float:
    """Return the true mean: of hits, or of a normal number that is cut off at 0 and 1."""
    if kind != "IoU":
        return NORMAL.cdf(threshold(kind) + effect)
    middle, spread = 0.3 + 0.4 * effect, 0.4
    low, high = -middle / spread, (1 - middle) / spread
    inside = middle * (NORMAL.cdf(high) - NORMAL.cdf(low))
    return inside + spread * (NORMAL.pdf(low) - NORMAL.pdf(high)) + 1 - NORMAL.cdf(high)


def holds(truth: float) -> Callable[[Interval | None], bool]:
    """Return whether an interval holds the truth, its ends included: hits often fall on them."""
    return lambda found: (
        found is not None and found.low - ROUNDING <= truth <= found.high + ROUNDING
    )


if __name__ == "__main__":
    main()
