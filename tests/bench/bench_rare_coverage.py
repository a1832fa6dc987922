"""How often 95 % intervals of rare and common hits contain the true value, by method. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_rare_coverage.py one
OMP_NUM_THREADS=1 python tests/bench/bench_rare_coverage.py two

Each video has a share of hits from a beta distribution, so the correlation of two hits on a video
is known exactly. "one" is for the figure of a run, "two" for the difference of two. In half of the
samples both runs hit or miss together. Where the second is better, it also hits samples that a
third run of the same kind hits.

All methods but the bootstrap are on the effective number of samples (Korn & Graubard 1998). Wanted:
a coverage of at least 93 % everywhere, or as near as can be, then narrow intervals.
"""

import sys
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from tabulate import tabulate

import vtg_eval.statistics.nearly_constant as nearly_constant_module
from vtg_eval.statistics.bootstrap import Resampled, interval, mean_interval, resampled_means
from vtg_eval.statistics.nearly_constant import NearlyConstant, Share, nearly_constant

SETS, BATCH, RESAMPLES = 2000, 250, 2000
VIDEOS = (20, 50, 100, 300, 1000)
HITS = (0.002, 0.01, 0.03, 0.1, 0.5, 0.9, 0.99)
RARE = (0.002, 0.01, 0.03, 0.1)
DATA = (("1 each", 0.0), *(("1 to 20, uneven", within) for within in (0.0, 0.2, 0.5)))
ROUNDING = 1e-9
WANTED = 93.0
Z = NormalDist().inv_cdf(0.975)
METHODS = (
    "bootstrap",
    "the rule",
    "Clopper-Pearson everywhere",
    "Wilson everywhere",
    "logit everywhere",
)


class Case(NamedTuple):
    hits: float
    sizes: str
    within: float
    better: bool = False


def main() -> None:
    one = sys.argv[1] == "one"
    sets = int(sys.argv[2]) if len(sys.argv) > 2 else SETS
    cases = [
        Case(hits, *data, better)
        for better in ((False,) if one else (False, True))
        for hits in (HITS if one else RARE)
        for data in DATA
    ]
    results = {(case, k): simulate(case, k, one, sets) for case in cases for k in VIDEOS}
    covered, widths = (
        {method: np.array([r[method][part] for r in results.values()]) for method in METHODS}
        for part in (0, 1)
    )
    print(f"{sets} sets of data for each number\n")
    headers = ["method", "lowest", f"below {WANTED:g} %", "mean", "mean width"]
    rows = [
        [
            method,
            f"{shares.min():.1f}",
            f"{(shares < WANTED).sum()} of {len(shares)}",
            f"{shares.mean():.1f}",
            f"{100 * widths[method].mean():.2f}",
        ]
        for method, shares in covered.items()
    ]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True) + "\n")
    for method in ("bootstrap", "the rule"):
        rows = [
            [
                f"{100 * case.hits:g} %{', second better' * case.better}",
                case.sizes,
                str(case.within),
            ]
            + [f"{results[case, k][method][0]:.1f}" for k in VIDEOS]
            for case in cases
        ]
        headers = [method, "samples a video", "correlation", *(f"{k} videos" for k in VIDEOS)]
        print(tabulate(rows, headers, tablefmt="github", disable_numparse=True) + "\n")


def simulate(case: Case, videos: int, one: bool, sets: int) -> dict[str, tuple[float, float]]:
    """Return for each method the coverage in percent, and the mean width."""
    generator = np.random.default_rng([videos, *f"{case}".encode()])
    pairs: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    bounds = (0.0, 1.0) if one else (-1.0, 1.0)
    for _ in range(sets // BATCH):
        cluster, values = batch(case, videos, one, generator)
        columns = resampled_means(values, cluster, resamples=RESAMPLES).columns()
        for column, resampled in zip(values.T, columns, strict=True):
            for method, pair in ends(column, cluster, resampled, bounds).items():
                pairs[method].append(pair)
    extra = case.hits * (1 - case.hits) if case.better else 0.0
    truth = case.hits if one else extra
    result = {}
    for method, intervals in pairs.items():
        low, high = np.array(intervals).T
        inside = (low - ROUNDING <= truth) & (truth <= high + ROUNDING)
        result[method] = float(100 * inside.mean()), float((high - low).mean())
    return result


def batch(
    case: Case, videos: int, one: bool, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return clusters, [N], and values of BATCH runs or differences of runs, [N, BATCH]."""
    sizes = np.ones(videos, dtype=int)
    if case.sizes != "1 each":
        sizes = np.minimum(generator.geometric(0.25, videos), 20)
    cluster = np.repeat(np.arange(videos), sizes)
    shape = (len(cluster), BATCH)

    def shares() -> np.ndarray:
        if not case.within:
            return np.full(shape, case.hits)
        total = (1 - case.within) / case.within
        drawn = generator.beta(case.hits * total, (1 - case.hits) * total, (videos, BATCH))
        return drawn[cluster]

    share, first = shares(), generator.random(shape)
    if one:
        return cluster, (first < share).astype(float)
    second = np.where(generator.random(shape) < 0.5, first, generator.random(shape))
    extra = generator.random(shape) < shares() if case.better else np.zeros(shape, dtype=bool)
    return cluster, ((second < share) | extra).astype(float) - (first < share)


def ends(
    values: np.ndarray, cluster: np.ndarray, resampled: Resampled, bounds: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    with (
        patch.object(nearly_constant_module, "FEW_DEVIATING", np.inf),
        patch.object(nearly_constant_module, "MOST_DEVIATING", np.inf),
    ):
        near = nearly_constant(values, cluster, bounds)
    assert near is not None
    return {
        "bootstrap": interval(resampled, int(cluster[-1]) + 1),
        "the rule": mean_interval(values, cluster, resampled, bounds),
        "Clopper-Pearson everywhere": near.ends(0.95),
        "Wilson everywhere": with_shares(Wilson, near).ends(0.95),
        "logit everywhere": with_shares(Logit, near).ends(0.95),
    }


def with_shares(kind: type[Share], near: NearlyConstant) -> NearlyConstant:
    above, below = (kind(share.value, share.samples) for share in (near.above, near.below))
    return replace(near, above=above, below=below)


class Wilson(Share):
    def low(self, tail: float) -> float:
        middle = self.value + Z * Z / 2 / self.samples
        spread = self.value * (1 - self.value) / self.samples + (Z / 2 / self.samples) ** 2
        return max(middle - Z * spread**0.5, 0.0) / (1 + Z * Z / self.samples)


class Logit(Share):
    """With half a hit and half a miss more."""

    def low(self, tail: float) -> float:
        if not self.value:
            return 0.0
        value = (self.value * self.samples + 0.5) / (self.samples + 1)
        error = 1 / ((self.samples + 1) * value * (1 - value)) ** 0.5
        return float(1 / (1 + (1 - value) / value * np.exp(Z * error)))


if __name__ == "__main__":
    main()
