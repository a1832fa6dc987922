"""Selection: which samples reinforcement learning sees, by their difficulty.

The rules leave samples out one after the other, and count them. The functions on arrays are pure.
x below is a sample's mean IoU over its rollouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import UserError
from vtg_eval.metrics.iou import Floats, Mask

from ..recipe import SelectionRule
from .curation import SHOWN, Dropped, dropped_counts
from .sample import Difficulty, TrainingSample

BINS = 20  # of the histogram of mean IoUs, each 0.05 wide
SAME = 1e-9  # rewards that differ by at most this count as equal
EPSILON = 1e-6  # added to both figures of `rollout_weights`, so that no weight is 0 by one of them

UNKNOWN = Difficulty(mean_iou=0.0)
OPEN = SelectionRule()  # the default windows, in which every sample is

Indices = npt.NDArray[np.int64]


class Selected(NamedTuple):
    """The samples for RL in the order of training, of which candidates, what each rule left out."""

    samples: tuple[TrainingSample, ...]
    candidates: tuple[TrainingSample, ...]
    report: tuple[Dropped, ...]


class Figures(NamedTuple):
    """What is known of N samples' rollouts, arrays [N].

    means: of the IoU; pass_rates: shares of rollouts that pass; constants: all rewards are the
    same; weighed_means, weighed_deviations: of what the method "weighted" weighs.
    """

    means: Floats
    pass_rates: Floats
    constants: Mask
    weighed_means: Floats
    weighed_deviations: Floats

    def at(self, indices: Indices) -> Figures:
        """Return the figures of some of the samples."""
        return Figures(
            self.means[indices],
            self.pass_rates[indices],
            self.constants[indices],
            self.weighed_means[indices],
            self.weighed_deviations[indices],
        )


def select_samples(samples: Sequence[TrainingSample], rule: SelectionRule) -> Selected:
    """Select the samples for RL.

    Raises UserError where a rule needs what is not known of a sample, and where no sample is left.
    """
    _require(samples, rule)
    figures = rollout_figures([sample.difficulty or UNKNOWN for sample in samples], rule)
    left, report = np.arange(len(samples)), []
    for name, keep in _rules(figures, rule):
        kept = keep(left)
        dropped = np.setdiff1d(left, kept)
        first = tuple(samples[int(index)].id for index in dropped[:SHOWN])
        report.append(Dropped(name, len(left), len(dropped), first))
        left = kept
    if not len(left):
        raise UserError(
            f"No sample of {len(samples)} is left after [selection], which left out by "
            f"{dropped_counts(report)}. Widen `mean_iou` and `pass_rate`, or set drop_constant = "
            "false."
        )
    if rule.curriculum:
        left = easy_first(figures.means, left)
    return Selected(tuple(samples[int(index)] for index in left), tuple(samples), tuple(report))


def rollout_figures(rated: Sequence[Difficulty], rule: SelectionRule) -> Figures:
    """Return the figures of N samples that a rule may need."""
    means = _array(d.mean_iou for d in rated)
    deviations = _array(d.deviation for d in rated)
    if rule.weighed == "reward":
        rewards = [d.rewards or (0.0,) for d in rated]
        weighed = _array(np.mean(r) for r in rewards), _array(np.std(r) for r in rewards)
    else:
        weighed = means, deviations
    pass_rates = _array(pass_rate(d, rule.pass_iou) for d in rated)
    return Figures(means, pass_rates, constant([d.rewards for d in rated]), *weighed)


Keep = Callable[[Indices], Indices]


def _rules(figures: Figures, rule: SelectionRule) -> Iterator[tuple[str, Keep]]:
    """Yield the rules in their order: a name, and what returns those that it keeps, ascending."""
    for name, values, window, default in (
        ("mean IoU", figures.means, rule.mean_iou, OPEN.mean_iou),
        (f"pass rate at IoU {rule.pass_iou:g}", figures.pass_rates, rule.pass_rate, OPEN.pass_rate),
    ):
        if window != default:
            inside = (values >= window[0]) & (values <= window[1])
            yield f"{name}, {window[0]:g} to {window[1]:g}", _where(inside)
    if rule.drop_constant:
        yield "constant rewards", _where(~figures.constants)
    if rule.size or rule.method != "all":
        size = f", size {rule.size}" if rule.size else ""
        yield f'method "{rule.method}"{size}', lambda left: _sampled(figures, left, rule)


def _where(mask: Mask) -> Keep:
    return lambda left: left[mask[left]]


def _sampled(figures: Figures, left: Indices, rule: SelectionRule) -> Indices:
    """Sample the rule's size of what is left by its weights; all of a weight above 0 for size 0."""
    values = weights(figures.at(left), rule)
    return np.sort(left[weighted_sample(values, rule.size or len(left), rule.seed)])


def weights(figures: Figures, rule: SelectionRule) -> Floats:
    """Return the samples' weights [N] (not normalised) by the rule's method."""
    match rule.method:
        case "all":
            return np.ones(len(figures.means))
        case "gaussian":
            return gaussian_weights(figures.means, rule.mean, rule.deviation)
        case "inverse":
            return inverse_weights(figures.means, rule.power)
        case "weighted":
            return rollout_weights(
                figures.weighed_means, figures.weighed_deviations, rule.power, rule.deviation_power
            )


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


def rollout_weights(
    means: Floats, deviations: Floats, power: float, deviation_power: float
) -> Floats:
    """Return (deviation + e) ** deviation_power * (1 - mean + e) ** power.

    means, deviations: [N], of the rollouts' rewards or IoU; the deviation is that over all of them
    (divided by N), a mean counts as 0 to 1. The rule of TimeLens2 (github.com/MCG-NJU/TimeLens2 at
    a5ce450), whose recipes have the powers 2 and 0. The value of e is ours.
    """
    easy = np.clip(means, 0.0, 1.0)
    values: Floats = (deviations + EPSILON) ** deviation_power * (1.0 - easy + EPSILON) ** power
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


def pass_rate(difficulty: Difficulty, least: float) -> float:
    """Return the share of rollouts with an IoU of at least `least`; 0 without any IoU."""
    passed = sum(iou >= least for iou in difficulty.ious)
    return passed / len(difficulty.ious) if difficulty.ious else 0.0


def _array(values: Iterable[float | np.floating[Any]]) -> Floats:
    return np.fromiter(values, dtype=np.float64)


def _require(samples: Sequence[TrainingSample], rule: SelectionRule) -> None:
    """Raise UserError where a rule needs what is not known of a sample."""
    by_pass_rate = rule.pass_rate != OPEN.pass_rate
    by_rewards = rule.method == "weighted" and rule.weighed == "reward"
    by_mean = rule.mean_iou != OPEN.mean_iou or rule.method != "all" or rule.curriculum
    if by_mean or by_pass_rate or rule.drop_constant:
        missing = [sample.id for sample in samples if sample.difficulty is None]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(samples)} samples have no difficulty (the first: "
                f"{missing[0]}). Run `vtg-train difficulty` first, or take [selection] out of the "
                "recipe."
            )
    for needed, key, figure in (
        (by_pass_rate, "pass_rate", "ious"),
        (by_rewards, "weighed", "rewards"),
    ):
        missing = [s.id for s in samples if needed and not getattr(s.difficulty, figure)]
        if missing:
            raise UserError(
                f"The difficulty of {len(missing)} of {len(samples)} samples has no `{figure}` "
                f"(the first: {missing[0]}), which selection.{key} needs. If an earlier version "
                "made difficulty.jsonl, remove it and run `vtg-train difficulty` again: that asks "
                "nothing that is answered."
            )
