"""Times as rotary positions: an even grid of frame pairs that starts at 0.

The processor derives the seconds from one pair to the next from the metadata. The model multiplies
them with the pair's number and with its positions per second, and cuts off the fraction. So it can
be told neither frames that are not evenly spaced nor a first frame after 0.
"""

from __future__ import annotations

import numpy as np

from vtg_eval.model_input.smart_resize import PAIR
from vtg_eval.model_input.time_encoding import Times

# Keeps float32 rounding from putting a whole position below itself before it is cut off.
UPWARD = 1 + 1e-6


def grid(step: float, pairs: int, rate: float) -> Times:
    """Return the times (seconds) at which frame pairs start for the model.

    step: seconds from one pair to the next. rate: positions a second.
    """
    times: Times = np.floor(np.arange(pairs) * step * UPWARD * rate) / rate
    return times


def mean_pair_seconds(times: Times) -> float | None:
    """Return the mean of the seconds from one pair of frames to the next; None without a second."""
    starts = times[::PAIR]
    if len(starts) < 2 or starts[-1] <= starts[0]:
        return None
    return float(starts[-1] - starts[0]) / (len(starts) - 1)


def pair_seconds(times: Times, rate: float) -> float:
    """Return the seconds from one pair of frames to the next that fit `times` (seconds) best.

    The mean is one candidate, the whole position nearest to it the other: with the fraction cut
    off, 0.999 s a pair would put every pair but the first half a second early.
    """
    unit = 1 / rate
    mean = mean_pair_seconds(times)
    if mean is None:
        return PAIR * unit
    starts = times[::PAIR]
    whole = max(round(mean / unit), 1) * unit
    errors = {
        step: float(np.abs(grid(step, len(starts), rate) - starts).max()) for step in (whole, mean)
    }
    return min(errors, key=errors.__getitem__)
