"""Numbers for JSON, which knows neither NaN nor infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping

Metrics = Mapping[str, float | None]
"""Percent, 0 to 100, unrounded unless the protocol rounds; None where it is no number."""


def finite(value: float) -> float | None:
    """Return the number, None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def plain(metrics: Mapping[str, float]) -> Metrics:
    """Return metrics with None for those that are no numbers."""
    return {name: finite(value) for name, value in metrics.items()}
