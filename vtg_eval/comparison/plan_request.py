"""What a plan of a number of samples is asked for, and what it assumes by default."""

from __future__ import annotations

from dataclasses import dataclass

EFFECTS = (1.0, 2.0, 5.0)
CORRELATION = 0.5
WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Numbers of samples and effects to plan for, and assumptions where no run gives values.

    effects: percentage points; correlation: of two runs' values for one sample; within: of the
    differences of two samples on one video.
    """

    samples: tuple[int, ...] = ()
    effects: tuple[float, ...] = EFFECTS
    correlation: float = CORRELATION
    within: float = WITHIN
