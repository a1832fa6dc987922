"""Whether answers move as their videos did: errors in seconds, IoU, and shares within a tolerance.

All spans are [N, 2] (start, end) in seconds; NaN where there is none.
"""

from __future__ import annotations

import numpy as np

from vtg_eval.metrics.iou import Floats, Mask

# How far each end of an answer may be from where it should be.
SECONDS, SHARE = 1.0, 0.05
ROUNDING = 1e-9


def tolerances(durations: Floats) -> Floats:
    """Return the tolerance for videos of these durations, [N]: 5 % of them, at least one second.

    Frames are often a second apart, and up to some percent of a long video.
    """
    return np.maximum(SECONDS, SHARE * durations)


def boundary_errors(answers: Floats, expected: Floats) -> Floats:
    """Return the mean distance of both ends, [N], seconds; NaN where a span is missing."""
    errors: Floats = np.abs(answers - expected).mean(axis=1)
    return errors


def within(answers: Floats, expected: Floats, tolerance: Floats) -> Mask:
    """Return bool [N]: both ends are within the tolerance, [N], of the expected ones."""
    distances = np.abs(answers - expected)
    return np.asarray((distances <= tolerance[:, None] + ROUNDING).all(axis=1), dtype=np.bool_)


def same_fractions(answers: Floats, before: Floats, after: Floats) -> Floats:
    """Return the spans at the same fractions of other durations, [N, 2].

    before, after: the durations, [N], that the answers belong to, and the others.
    """
    return answers * (after / before)[:, None]
