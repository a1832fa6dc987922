"""Power: the minimum detectable effect of so many samples, and the samples that an effect needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.statistics.bootstrap import LEVEL
from vtg_eval.statistics.student_t import t_ppf

POWER = 0.8
MOST_VIDEOS = 10**9


@dataclass(frozen=True, slots=True)
class SampleSize:
    """A number of samples and of their videos."""

    samples: int
    videos: int


@dataclass(frozen=True, slots=True)
class Precision:
    """The standard error of a difference on samples of a size, and its degrees of freedom."""

    error: float
    degrees_of_freedom: int
    size: SampleSize

    def on(self, videos: int) -> Precision:
        """Return the precision on another number of videos, with as many samples each.

        The error goes with 1 / sqrt(videos), the degrees of freedom with the videos.
        """
        size = SampleSize(math.ceil(videos * self.size.samples / self.size.videos - 1e-9), videos)
        error = self.error * math.sqrt(self.size.videos / videos)
        return Precision(error, self.degrees_of_freedom * videos // self.size.videos, size)

    @property
    def minimum_detectable_effect(self) -> float:
        """The smallest true difference that a test at 5 % finds with a power of 80 %."""
        return minimum_detectable_effect(self.error, self.degrees_of_freedom)


def minimum_detectable_effect(error: float, degrees_of_freedom: int) -> float:
    """Return the smallest true difference that a test at 5 % finds with a power of 80 %.

    (t(97.5 %) + t(80 %)) * `error`, the standard error of the difference. Infinite where that has
    no degrees of freedom.
    """
    if degrees_of_freedom < 1:
        return math.inf
    return (t_ppf((1 + LEVEL) / 2, degrees_of_freedom) + t_ppf(POWER, degrees_of_freedom)) * error


def minimum_detectable_effect_at(precision: Precision, samples: int) -> float:
    """Return the minimum detectable effect of `samples` samples, with as many a video."""
    size = precision.size
    videos = max(1, round(samples * size.videos / size.samples))
    return precision.on(videos).minimum_detectable_effect


def needed(precision: Precision, effect: float) -> SampleSize | None:
    """Return the fewest videos, and their samples, that can detect `effect`.

    None where more than 10^9 videos are needed, or the effect is not above 0.
    """
    if effect <= 0:
        return None
    low, high = 1, 2
    while precision.on(high).minimum_detectable_effect > effect:
        if high == MOST_VIDEOS:
            return None
        low, high = high, min(2 * high, MOST_VIDEOS)
    while high - low > 1:
        middle = (low + high) // 2
        if precision.on(middle).minimum_detectable_effect > effect:
            low = middle
        else:
            high = middle
    return precision.on(high).size


def error_without_runs(
    figure: float, correlation: float, within: float, sizes: Sequence[int]
) -> float:
    """Return the standard error of the difference of two hit rates, in percent, by assumption.

    100 * sqrt(2 p (1 - p) (1 - correlation) * (1 + (m - 1) within) / N), with p = figure / 100,
    N the sum of the videos' `sizes` (samples each) and m = sum of squared sizes / N. correlation:
    of the two runs' values for one sample; within: of the differences of two samples of one
    video. For other values between 0 and 1, such as IoU, it is an upper bound.
    """
    counts = np.asarray(sizes, dtype=np.float64)
    p = figure / 100
    variance = 2 * p * (1 - p) * (1 - correlation)
    design_effect = 1 + (cluster_size(sizes) - 1) * within
    return 100 * math.sqrt(variance * design_effect / counts.sum())


def cluster_size(sizes: Sequence[int]) -> float:
    """Return the number of samples on the video of an average sample (Kish 1965)."""
    counts = np.asarray(sizes, dtype=np.float64)
    return float((counts**2).sum() / counts.sum())
