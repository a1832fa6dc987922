"""Selection: which samples reinforcement learning sees, by how hard they are.

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
SAME = 1e-9  # rewards that differ by no more are the same
UNKNOWN = Difficulty(mean_iou=0.0)

Indices = npt.NDArray[np.int64]


def select_samples(
    samples: Sequence[TrainingSample], rule: SelectionRule
) -> tuple[TrainingSample, ...]:
    """Return the samples that RL sees, in the order in which it sees them.

    Raises UserError where the rule asks for difficulties and a sample has none, and where
    nothing is left.
    """
    found = _difficulties(samples) if _asks_difficulty(rule) else [UNKNOWN] * len(samples)
    means = np.array([each.mean_iou for each in found], dtype=np.float64)
    chosen = select(means, constant([each.rewards for each in found]), rule)
    if not len(chosen):
        raise UserError(
            f"No sample of {len(samples)} is left after [selection]: widen `mean_iou`, or set "
            "drop_constant = false."
        )
    return tuple(samples[index] for index in chosen)


def select(means: Floats, same: Mask, rule: SelectionRule) -> Indices:
    """Return the indices [K] of the samples to train on, in order.

    means: [N], mean IoUs, 0 to 1. same: bool [N], samples whose rollouts all got the same reward.
    K is the rule's size, less where fewer can be drawn; 0 asks for all of those. Of samples of
    weight 0 none is drawn. The order is the samples' own, or easy first.
    """
    low, high = rule.mean_iou
    allowed = (means >= low) & (means <= high)
    if rule.drop_constant:
        allowed &= ~same
    pool = np.flatnonzero(allowed)
    drawn = draw(weights(means[pool], rule), rule.size or len(pool), rule.seed)
    chosen = np.sort(pool[drawn])
    return easy_first(means, chosen) if rule.curriculum else chosen


def weights(means: Floats, rule: SelectionRule) -> Floats:
    """Return each sample's weight [N] (not normalised) by the rule's method."""
    match rule.method:
        case "all":
            return np.ones(len(means))
        case "gaussian":
            return gaussian_weights(means, rule.mean, rule.deviation)
        case "inverse":
            return inverse_weights(means, rule.power)


def gaussian_weights(means: Floats, mean: float, deviation: float) -> Floats:
    """Return exp(-(x - mean)² / (2 deviation²)) / n(x), n(x) being how many samples are near x.

    So the samples drawn follow the Gaussian, and not its product with how many samples there are
    of each mean IoU: target density over empirical density. n is the count in x's bin of 20 over
    0 to 1. The rule of TimeLens (training/data/grounding.py, "fixed_gaussian_sampling").
    """
    bins = np.clip((means * BINS).astype(np.int64), 0, BINS - 1)
    near = np.bincount(bins, minlength=BINS)[bins]
    density: Floats = np.exp(-0.5 * ((means - mean) / deviation) ** 2) / near
    return density


def inverse_weights(means: Floats, power: float) -> Floats:
    """Return (1 - x) ** power: hard samples more often (TimeLens2 with power 2)."""
    found: Floats = np.clip(1.0 - means, 0.0, 1.0) ** power
    return found


def draw(values: Floats, size: int, seed: int) -> Indices:
    """Draw up to `size` indices without replacement, each time in proportion to the weights.

    values: weights [N], not negative; those of 0 are never drawn. The same seed draws the same,
    and a larger size draws the same and more. Efraimidis and Spirakis, Weighted random sampling
    with a reservoir, 2006: the largest keys u ** (1 / w), here by their logarithms.
    """
    uniform = np.random.default_rng(seed).random(len(values))
    able = np.flatnonzero(values > 0)
    with np.errstate(divide="ignore", over="ignore"):
        keys = np.log(uniform[able]) / values[able]
    return able[np.argsort(-keys, kind="stable")][:size]


def constant(rewards: Sequence[Sequence[float]]) -> Mask:
    """Return bool [N]: two rollouts or more, all with the same reward.

    Such a group has no advantage to learn from. One rollout says nothing about it.
    """
    return np.array(
        [len(each) > 1 and max(each) - min(each) <= SAME for each in rewards], dtype=np.bool_
    )


def easy_first(means: Floats, chosen: Indices) -> Indices:
    """Return the chosen indices by falling mean IoU; those that are level stay in their order."""
    return chosen[np.argsort(-means[chosen], kind="stable")]


def _asks_difficulty(rule: SelectionRule) -> bool:
    open_window = SelectionRule().mean_iou
    return (
        rule.method != "all"
        or rule.drop_constant
        or rule.curriculum
        or rule.mean_iou != open_window
    )


def _difficulties(samples: Sequence[TrainingSample]) -> list[Difficulty]:
    found = [sample.difficulty for sample in samples if sample.difficulty is not None]
    missing = [sample.id for sample in samples if sample.difficulty is None]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(samples)} samples have no difficulty (the first: "
            f"{missing[0]}). Run `vtg-train difficulty` first, or take [selection] out of the "
            "recipe."
        )
    return found
