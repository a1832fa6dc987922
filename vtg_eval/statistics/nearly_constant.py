"""Intervals of means whose values are the same on nearly all videos, such as shares of rare hits.

Resamples of such values hardly vary, or not at all, so the bootstrap's intervals are too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vtg_eval.statistics.beta import beta_ppf

Floats = npt.NDArray[np.float64]
LEAST_VIDEOS = 4  # below this no figure has an interval
FEW_DEVIATING = 10  # from as many videos on the bootstrap has its coverage (docs/statistics.md)
MOST_DEVIATING = 0.5  # of the videos, unless all values are bounds


@dataclass(frozen=True, slots=True)
class Share:
    """A mean of values from 0 to 1, and the number of independent samples that it is worth."""

    value: float
    samples: float

    def low(self, tail: float) -> float:
        """Return the lower end of the Clopper-Pearson interval; 0 for a share of 0."""
        hits = self.value * self.samples
        return beta_ppf(tail, hits, self.samples - hits + 1) if hits > 0 else 0.0

    def high(self, tail: float) -> float:
        """Return the upper end."""
        return 1 - Share(1 - self.value, self.samples).low(tail)


@dataclass(frozen=True, slots=True)
class NearlyConstant:
    """A mean of values between bounds: a constant, plus what few videos add and take away.

    The mean is constant + room_above * above - room_below * below; the rooms are the distances
    from the constant to the bounds.
    """

    constant: float
    room_above: float
    room_below: float
    above: Share
    below: Share

    @property
    def value(self) -> float:
        """The mean."""
        return (
            self.constant + self.room_above * self.above.value - self.room_below * self.below.value
        )

    def ends(self, level: float) -> tuple[float, float]:
        """Return the interval: of one share its own, of two combined by their squared distances.

        The latter is the square-and-add method of Newcombe (1998) for differences of proportions.
        """
        tail, value, above, below = (1 - level) / 2, self.value, self.above, self.below
        rise = self.room_above * (above.value - above.low(tail))
        fall = self.room_below * (below.high(tail) - below.value)
        low = value - math.sqrt(rise * rise + fall * fall)
        rise = self.room_above * (above.high(tail) - above.value)
        fall = self.room_below * (below.value - below.low(tail))
        high = value + math.sqrt(rise * rise + fall * fall)
        least, most = self.constant - self.room_below, self.constant + self.room_above
        return max(low, least), min(high, most)


def nearly_constant(
    values: Floats, clusters: npt.NDArray[np.intp], bounds: tuple[float, float]
) -> NearlyConstant | None:
    """Return the mean of `values`, [N], if they are one constant on all but few videos.

    clusters: [N], the numbers of their videos, from 0. The constant is a bound, 0, or any value
    that all have. None where the bootstrap's interval is better: fewer than 4 videos; 10 or more
    videos with another value; as many as half of the videos, unless all values are bounds.
    """
    least, most = bounds
    sizes = np.bincount(clusters)
    videos = int(np.count_nonzero(sizes))
    if videos < LEAST_VIDEOS or not np.all((values >= least) & (values <= most)):
        return None
    constants = (
        [values[0]] if np.all(values == values[0]) else [least, min(max(0.0, least), most), most]
    )
    deviating = [
        np.count_nonzero(np.bincount(clusters, weights=values != constant))
        for constant in constants
    ]
    few = min(deviating)
    constant = float(constants[deviating.index(few)])
    only_bounds = np.all((values == least) | (values == most))
    if few >= FEW_DEVIATING or (few >= MOST_DEVIATING * videos and not only_bounds):
        return None
    return NearlyConstant(
        constant=constant,
        room_above=most - constant,
        room_below=constant - least,
        above=_share(np.maximum(values - constant, 0), clusters, sizes, most - constant),
        below=_share(np.maximum(constant - values, 0), clusters, sizes, constant - least),
    )


def _share(
    parts: Floats, clusters: npt.NDArray[np.intp], sizes: npt.NDArray[np.intp], room: float
) -> Share:
    """Return the mean of `parts` / `room`, 0 to 1, with its effective number of samples.

    clusters, [N]: the numbers of their videos; sizes, [K]: the videos' numbers of samples.

    The effective number is N divided by the design effect (Korn & Graubard 1998). The few
    videos with parts say little about the design effect. So it is an average: of its estimate,
    weighted with the number of these videos, and, with the weight of one video, of its value where
    all samples of a video are alike.
    """
    samples, videos = len(parts), int(np.count_nonzero(sizes))
    totals = np.bincount(clusters, weights=parts / (room or 1.0))
    value = min(float(totals.sum()) / samples, 1.0)
    effect = float(np.square(sizes).sum()) / samples
    if 0 < value < 1:
        deviations = np.square(totals - value * sizes).sum()
        variance = videos / (videos - 1) * float(deviations) / samples**2
        estimate = max(variance / (value * (1 - value) / (samples - 1)), 1.0)
        deviating = int(np.count_nonzero(totals))
        effect = (deviating * estimate + effect) / (deviating + 1)
    return Share(value, samples / effect)
