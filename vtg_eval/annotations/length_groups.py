"""Groups of samples by the length of the target moment and of the video."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from vtg_eval.types import Group, Span

MOMENT, VIDEO = "moment length", "video length"


def length_groups(
    spans: Sequence[Span],
    duration: float | None,
    moments: tuple[float, float],
    videos: tuple[float, float],
) -> tuple[Group, ...]:
    """Return a sample's groups by length; `moments` and `videos` are bounds in seconds.

    The first occurrence's length counts; a sample without one or without a duration has no
    group in that grouping.
    """
    groups = []
    if spans:
        groups.append(Group(MOMENT, length_bin(spans[0].end - spans[0].start, moments)))
    if duration is not None:
        groups.append(Group(VIDEO, length_bin(duration, videos)))
    return tuple(groups)


def length_bin(seconds: float, bounds: tuple[float, float]) -> str:
    """Return the name of the bin: below the first bound, between them, from the second on."""
    return _bin_names(bounds)[bisect_right(bounds, seconds)]


@cache
def _bin_names(bounds: tuple[float, float]) -> tuple[str, str, str]:
    low, high = bounds
    return f"under {low:g} s", f"{low:g} to {high:g} s", f"{high:g} s and more"
