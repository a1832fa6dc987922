"""Temporal intersection over union."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def iou(first: Floats, second: Floats) -> Floats:
    """Return the IoU of spans [..., 2] (start, end), broadcast against each other: [...], 0 to 1.

    The union is taken as the hull, as the field's evaluators do: the two agree wherever the
    spans overlap. Reversed, empty and non-finite spans have IoU 0 with everything.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.minimum(first[..., 1], second[..., 1]) - np.maximum(
            first[..., 0], second[..., 0]
        )
        hull = np.maximum(first[..., 1], second[..., 1]) - np.minimum(first[..., 0], second[..., 0])
        overlap = shared / hull
    # a span that ends before it starts has no positive overlap with any span
    usable = (shared > 0) & (hull < np.inf)
    return np.where(usable, overlap, 0.0)
