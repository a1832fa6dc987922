"""What a probe finds: one row of figures for each transformation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vtg_eval.comparison.estimates import Estimate

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Blindly:
    """What repeats the original answers without a look: the better of two rules, by its share.

    rule: "same seconds" or "same fractions"; moved and iou in percent, error in seconds.
    """

    rule: str
    moved: float
    iou: float
    error: float | None


@dataclass(frozen=True, slots=True)
class BlindFloor:
    """A blind predictor: the percent of its answers that moved, and how much more than `Blindly`
    from its own answers, percentage points."""

    moved: float
    above_blind: float


@dataclass(frozen=True, slots=True)
class MovedRow:
    """A transformation after which the moment is at another time. Percent, unless said otherwise.

    score_before, score: mean IoU with the ground truth. moved: the samples whose answer is, at both
    ends, where the original answer is in the transformed video (`equivariance.tolerances`); without
    an answer before and after a sample has not moved. above_blind: its difference to `blind`, not
    defined where a blind rule follows by definition (`Transformation.refutes_only`).
    iou: of the answers with where the original ones are. error: the mean distance of their
    ends in seconds, over the `both_answered`. floors: of blind predictors on the same samples.
    """

    transformation: str
    samples: int
    videos: int
    left_out: Mapping[str, int]
    score_before: Estimate
    score: Estimate
    score_change: Estimate
    moved: Estimate
    blind: Blindly
    above_blind: Estimate
    iou: Estimate
    error: Estimate
    both_answered: int
    floors: Mapping[str, BlindFloor]


@dataclass(frozen=True, slots=True)
class NoMomentRow:
    """A transformation after which no answer is known to be right. Percent of samples.

    never_before, never: those answered with "it never happens". unchanged: of the `with_span`
    samples with a span before, those with the same answer, by seconds or by fractions of the
    duration. by_chance: those whose answer is that to another sample, on another video.
    """

    transformation: str
    samples: int
    videos: int
    left_out: Mapping[str, int]
    never_before: Estimate
    never: Estimate
    never_change: Estimate
    with_span: int
    unchanged: Estimate
    by_chance: Estimate
    above_chance: Estimate


@dataclass(frozen=True, slots=True)
class EveryOne:
    """The samples of all these transformations: percent that moved under every one of them."""

    transformations: tuple[str, ...]
    samples: int
    videos: int
    moved: Estimate
    blind: float
    above_blind: Estimate
    floors: Mapping[str, BlindFloor]


@dataclass(frozen=True, slots=True)
class ProbeComparison:
    """A run's answers beside those on transformed videos. Intervals are over original videos.

    every_one: None for fewer than two transformations that keep the meaning.
    """

    model: str
    task: str
    split: str
    protocol: str
    samples: int
    moved: tuple[MovedRow, ...]
    every_one: EveryOne | None
    no_moment: tuple[NoMomentRow, ...]
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
