"""The harness's nouns: frozen data that flows one way, from annotations to scores.

All times are seconds from the start of the video, floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A moment: start and end in seconds. May be reversed or non-finite: scoring decides."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Target:
    """The ground truth of one sample, untouched: not clamped, not sorted.

    `spans` holds every occurrence (seconds); empty on a grounding task means that the event
    never happens. `choice` is the right option's letter. `saliency` has one row of annotators'
    scores for each clip.
    """

    spans: tuple[Span, ...] = ()
    choice: str | None = None
    saliency: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one video.

    `id` is unique within its task; `video` is the task's own video id; `duration` is the
    annotated length in seconds, None where the annotation has none. `groups` maps a grouping
    (for example "moment length") to this sample's group in it.
    """

    id: str
    video: str
    query: str
    target: Target
    duration: float | None = None
    options: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model or a user's file answered for one sample: raw text, or ready values.

    `spans` are in the answer's own order (best first), `scores` beside them where given.
    `failure` names why there is no answer (for example "undecodable"), None otherwise.
    """

    id: str
    text: str | None = None
    spans: tuple[Span, ...] | None = None
    scores: tuple[float, ...] | None = None
    choice: str | None = None
    saliency: tuple[float, ...] | None = None
    failure: str | None = None
