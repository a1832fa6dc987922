"""Selection: which samples reinforcement learning sees, by their difficulty.

The functions on arrays are pure. x below is a sample's mean IoU over its rollouts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import UserError
from vtg_eval.metrics.iou import Floats, Mask

from ..recipe import SelectionRule
from .sample import Difficulty, TrainingSample

BINS = 20  # of the histogram of mean IoUs, each 0.05 wide
SAME = 1e-9  # rewards that differ by at most this count as equal
UNKNOWN = Difficulty(mean_iou=0.0)

Indices = npt.NDArray[np.int64]


def select_samples(
    samples: Sequence[TrainingSample], rule: SelectionRule
) -> tuple[TrainingSample, ...]:
    """Return the samples for RL, in the order of training.

    Raises UserError where the rule needs difficulties and a sample has none, and where no sample
    is left.
    """
    rated = _difficulties(samples) if _needs_difficulty(rule) else [UNKNOWN] * len(samples)
    means = np.array([difficulty.mean_iou for difficulty in rated], dtype=np.float64)
    chosen = select(means, constant([difficulty.rewards for difficulty in rated]), rule)
    if not len(chosen):
        raise UserError(
            f"No sample of {len(samples)} is left after [selection]: widen `mean_iou`, or set "
            "drop_constant = false."
        )
    return tuple(samples[index] for index in chosen)


def select(means: Floats, constants: Mask, rule: SelectionRule) -> Indices:
    """Return the indices [K] of the samples to train on, in order.

    means: [N], mean IoUs, 0 to 1. constants: bool [N], samples whose rollouts all got the same
    reward. K is the rule's size, or less where fewer samples are allowed and have a weight above
    0; size 0 selects all of these. The order is that of the samples, or easy first.
    """
    low, high = rule.mean_iou
    allowed = (means >= low) & (means <= high)
    if rule.drop_constant:
        allowed &= ~constants
    pool = np.flatnonzero(allowed)
    sampled = weighted_sample(weights(means[pool], rule), rule.size or len(pool), rule.seed)
    chosen = np.sort(pool[sampled])
    return easy_first(means, chosen) if rule.curriculum else chosen


def weights(means: Floats, rule: SelectionRule) -> Floats:
    """Return the samples' weights [N] (not normalised) by the rule's method."""
    match rule.method:
        case "all":
            return np.ones(len(means))
        case "gaussian":
            return gaussian_weights(means, rule.mean, rule.deviation)
        case "inverse":
            return inverse_weights(means, rule.power)


def gaussian_weights(means: Floats, mean: float, deviation: float) -> Floats:
    """Return exp(-(x - mean)² / (2 deviation²)) / n(x); n(x) is the number of samples near x.

    This is target density over empirical density, so that the selected samples follow the
    Gaussian. n(x) counts the samples in the same one of 20 bins over 0 to 1. The rule of TimeLens
    (training/data/grounding.py, "fixed_gaussian_sampling").
    """
    bins = np.clip((means * BINS).astype(np.int64), 0, BINS - 1)
    near = np.bincount(bins, minlength=BINS)[bins]
    density: Floats = np.exp(-0.5 * ((means - mean) / deviation) ** 2) / near
    return density


def inverse_weights(means: Floats, power: float) -> Floats:
    """Return (1 - x) ** power: hard samples more often (TimeLens2 with power 2)."""
    values: Floats = np.clip(1.0 - means, 0.0, 1.0) ** power
    return values


def weighted_sample(values: Floats, size: int, seed: int) -> Indices:
    """Sample up to `size` indices without replacement, in proportion to the weights.

    values: weights [N], not negative; an index of weight 0 is never sampled. The same seed gives
    the same indices, and a larger size adds to those of a smaller one. Efraimidis and Spirakis,
    Weighted random sampling with a reservoir, 2006: the largest keys u ** (1 / w), here by their
    logarithms.
    """
    uniform = np.random.default_rng(seed).random(len(values))
    positive = np.flatnonzero(values > 0)
    with np.errstate(divide="ignore", over="ignore"):
        keys = np.log(uniform[positive]) / values[positive]
    return positive[np.argsort(-keys, kind="stable")][:size]


def constant(rewards: Sequence[Sequence[float]]) -> Mask:
    """Return bool [N]: samples with two rollouts or more, all with the same reward.

    Such a group has no advantage to learn from.
    """
    return np.array([len(r) > 1 and max(r) - min(r) <= SAME for r in rewards], dtype=np.bool_)


def easy_first(means: Floats, chosen: Indices) -> Indices:
    """Return the chosen indices by falling mean IoU; equal ones keep their order."""
    return chosen[np.argsort(-means[chosen], kind="stable")]


def _needs_difficulty(rule: SelectionRule) -> bool:
    open_window = SelectionRule().mean_iou
    return (
        rule.method != "all"
        or rule.drop_constant
        or rule.curriculum
        or rule.mean_iou != open_window
    )


def _difficulties(samples: Sequence[TrainingSample]) -> list[Difficulty]:
    rated = [sample.difficulty for sample in samples if sample.difficulty is not None]
    missing = [sample.id for sample in samples if sample.difficulty is None]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(samples)} samples have no difficulty (the first: "
            f"{missing[0]}). Run `vtg-train difficulty` first, or take [selection] out of the "
            "recipe."
        )
    return rated
