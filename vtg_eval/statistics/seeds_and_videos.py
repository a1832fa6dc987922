"""A mean over seeds and videos that both could have been others."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vtg_eval.statistics.bootstrap import LEVEL, Floats, Interval
from vtg_eval.statistics.difference import Difference
from vtg_eval.statistics.student_t import t_cdf, t_ppf


def crossed_mean(values: Floats, videos: npt.NDArray[np.int64], level: float = LEVEL) -> Difference:
    """Return the mean of values, float64 [S, N], of S seeds on N samples, with its error.

    values: scores, or differences of two ways of training, seed by seed. videos: int64 [N], the
    index of each sample's video, 0 to V - 1. Seeds and videos are random and crossed. The mean
    squares of seeds, of videos and of their interaction give the error and its degrees of freedom
    (rounded down, at most those of the larger of S and V), as where several readers judge the same
    cases: Dorfman, Berbaum and Metz 1992; degrees of freedom: Hillis 2007. Interval and p-value (of
    the mean 0) come from Student's t. All are None with one seed or one video, and where a value
    is not finite.
    """
    value = float(values.mean())
    seeds, count = len(values), int(videos.max()) + 1
    if not math.isfinite(value) or seeds < 2 or count < 2:
        return Difference(value)
    table = _by_video(values, videos, count)
    of_seeds = table.mean(axis=1, keepdims=True)
    of_videos = table.mean(axis=0, keepdims=True)
    between_seeds = count * float(np.square(of_seeds - value).sum()) / (seeds - 1)
    between_videos = seeds * float(np.square(of_videos - value).sum()) / (count - 1)
    rest = table - of_seeds - of_videos + value
    interaction = float(np.square(rest).sum()) / ((seeds - 1) * (count - 1))
    variance = between_seeds + max(between_videos - interaction, 0.0)
    error = math.sqrt(variance / (seeds * count))
    if error == 0:
        return Difference(value, 0.0, seeds - 1, Interval(value, value), float(value == 0))
    degrees = max(seeds, count) - 1
    if between_seeds > 0:
        degrees = int(min((seeds - 1) * (variance / between_seeds) ** 2, degrees))
    reach = t_ppf((1 + level) / 2, degrees) * error
    p = 2 * t_cdf(-abs(value) / error, degrees)
    return Difference(value, error, degrees, Interval(value - reach, value + reach), p)


def _by_video(values: Floats, videos: npt.NDArray[np.int64], count: int) -> Floats:
    """Return one value for each seed and video, [S, V], whose means are those over samples.

    A video's deviation from the mean is weighted by its number of samples.
    """
    samples = np.bincount(videos, minlength=count)
    sums = np.stack([np.bincount(videos, weights=row, minlength=count) for row in values])
    mean = values.mean()
    table: Floats = mean + (sums - samples * mean) / samples.mean()
    return table
