"""The harness's data types, frozen: data flows one way, from annotations to scores.

All times are seconds from the start of the video, floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import TypeIs

from vtg_eval.failures import Failure

# Seconds that a video may last: longer than any, so a time beyond it is a fault of its file.
SHORTEST, LONGEST = 0.01, 1e7


TimeText = Literal["none", "header", "interleaved"]
"""How the frames' times are told as text."""
Thinking = Literal["default", "on", "off"]
"""Whether a model writes down its thoughts; "default": as its chat template does."""


class Span(NamedTuple):
    """A moment: start and end in seconds. May be reversed or non-finite: scoring decides."""

    start: float
    end: float


class ScoredSpan(NamedTuple):
    """A span (seconds) and the answer's confidence score; higher is surer. May be NaN."""

    start: float
    end: float
    score: float


SpanList = tuple[Span, ...] | tuple[ScoredSpan, ...]  # either all have a score or none


def scored(spans: SpanList) -> TypeIs[tuple[ScoredSpan, ...]]:
    """Tell whether the spans have scores; no spans have none."""
    return bool(spans) and type(spans[0]) is ScoredSpan


class Group(NamedTuple):
    """A sample's membership in a group of a grouping (for example "moment length")."""

    grouping: str
    name: str


class Cue(NamedTuple):
    """One subtitle, on screen from `start` to `end` (seconds of the video); one line of text.

    `end` is infinite where the file has none.
    """

    start: float
    end: float
    text: str


def option_letter(index: int) -> str:
    """Return the letter of an option by its index: "A" for 0."""
    return chr(ord("A") + index)


class OutputType(StrEnum):
    """What a sample asks for."""

    SPANS = "spans"
    CHOICE = "choice"
    BOTH = "spans and choice"


@dataclass(frozen=True, slots=True)
class Target:
    """The ground truth of one sample, untouched: not clamped, not sorted.

    `spans` holds every occurrence (seconds); empty on a grounding task means that the event
    never happens. `choice` is the right option's letter; None on a question with
    options means that none of them is right, so every answer is wrong. `saliency` has one row of
    annotators' scores for each clip.
    """

    spans: tuple[Span, ...] = ()
    choice: str | None = None
    saliency: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one video.

    `id` is unique within its task; `video` is the task's own video id; `duration` is the
    annotated length in seconds, None where the annotation has none. `options` are lettered from
    A. `groups`: a sample may be in several groups of one grouping.
    `clips`: the parts (seconds, of the file) that are shown, one after the other, as one video
    that starts at 0; empty: all of it. `duration` and the target are in the shown video's time.
    `subtitles`: the spoken text that goes with the question; filled in when it is asked.
    """

    id: str
    video: str
    query: str
    target: Target
    duration: float | None = None
    options: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    clips: tuple[Span, ...] = ()
    subtitles: str = ""
    asks: OutputType = OutputType.SPANS

    def group(self, grouping: str) -> str | None:
        """Return the sample's (first) group in a grouping, None where it has none."""
        return next((group.name for group in self.groups if group.grouping == grouping), None)

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the options: A, B, C, D for four."""
        return tuple(map(option_letter, range(len(self.options))))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model or a user's file answered for one sample: raw text, or parsed values.

    `spans` are in the answer's order (best first), with scores where it has some.
    `failure` is why there is no answer, or no complete one (`Failure.TRUNCATED`); else None.
    `escaped`: whether special tokens in the sample's text were escaped.
    """

    id: str
    text: str | None = None
    spans: SpanList | None = None
    choice: str | None = None
    saliency: tuple[float, ...] | None = None
    failure: Failure | None = None
    escaped: bool = False
