"""How a model family gets the times of frames, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]
# Indices of frames that count microseconds, at 1,000,000 a second: index / fps is the frame's own
# time, also where the frame rate varies.
TICKS = 1_000_000


def to_ticks(times: Times) -> npt.NDArray[np.int64]:
    """Return the times (seconds) in microseconds."""
    return np.rint(times * TICKS).astype(np.int64)


class TimeRule(StrEnum):
    """The kinds of ways in which times reach a model."""

    ROTARY = "rotary positions"
    STAMPS = "text stamps"
    ORDINALS = "frame numbers"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class TimeEncoding:
    """One family's rule: what its processor, or its rotary positions, tell of the frames' times.

    frames: number of frames for which one time is told. moment: which time of these frames:
    their mean, or that of the first; where the last frames are fewer, the last one is repeated.
    resolution: seconds between neighbouring times that can be told; 0 where none is told.
    rounding: to the nearest of them, or down. stamp: of text stamps, a regular expression that
    finds them in the expanded prompt; its groups are `seconds`, and `minutes` and `hours`, if any.
    passage: a regular expression of the part of the prompt that has them; "" for all of it.
    """

    rule: TimeRule
    frames: int = 1
    moment: Literal["mean", "first"] = "first"
    resolution: float = 0.0
    rounding: Literal["nearest", "down"] = "nearest"
    stamp: str = ""
    passage: str = ""

    @property
    def error(self) -> float:
        """The largest difference (seconds) between a time and what is told of it."""
        return self.resolution / 2 if self.rounding == "nearest" else self.resolution

    def moments(self, times: Times) -> Times:
        """Return the times to tell (seconds), one for each group of frames, before rounding."""
        groups = np.array_split(times, range(self.frames, len(times), self.frames))
        padded = [np.pad(group, (0, self.frames - len(group)), mode="edge") for group in groups]
        grid = np.stack(padded) if padded else np.empty((0, self.frames))
        # first and last only, as the processors compute it: exact for the mean of two
        moments: Times = (
            (grid[:, 0] + grid[:, -1]) / 2 if self.moment == "mean" else grid[:, 0].copy()
        )
        return moments

    def stamped(self, times: Times) -> tuple[float, ...]:
        """Return the times (seconds) that the stamps of frames at `times` say."""
        return tuple(self._rounded(float(moment)) for moment in self.moments(times))

    def read(self, text: str) -> tuple[float, ...]:
        """Return the times (seconds) of the stamps in an expanded prompt."""
        texts = [m[0] for m in re.finditer(self.passage, text)] if self.passage else [text]
        return tuple(_seconds(match) for part in texts for match in re.finditer(self.stamp, part))

    def _rounded(self, time: float) -> float:
        if self.rounding == "down":
            return float(np.floor(time / self.resolution) * self.resolution)
        decimals = max(0, round(-np.log10(self.resolution)))
        return float(f"{time:.{decimals}f}")


def _seconds(match: re.Match[str]) -> float:
    groups = match.groupdict()
    hours, minutes = (float(groups.get(name) or 0) for name in ("hours", "minutes"))
    return hours * 3600 + minutes * 60 + float(groups["seconds"])
