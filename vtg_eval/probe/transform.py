"""Samples transformed: what is shown, what is asked, and where the moment is then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vtg_eval.errors import NotApplicableError
from vtg_eval.probe.other_video import OtherVideos
from vtg_eval.probe.shown import shown_parts
from vtg_eval.probe.transformation import TimeMap, Transformation
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.task import Card
from vtg_eval.types import OutputType, Sample, Span, Target
from vtg_eval.video.edit_list import EditList, at_speed, backwards, cut, length

# The ground truth is no span of any times: five-second segments, the letters of options.
WITHOUT_SPANS = ("choice", "segment ranks")
NO_DURATION = "no duration"
NO_MOMENT = "no moment"
NO_OTHER = "no other video"
NO_ROOM = "no room to cut"


@dataclass(frozen=True, slots=True)
class TransformedSample:
    """A sample as it is asked: its duration and target are in the transformed video's time.

    Its video and its id are those of the original. parts: what is shown; empty: the video as it
    is. time_map: from the original's times; None where they say nothing about the answer.
    """

    sample: Sample
    parts: EditList = ()
    time_map: TimeMap | None = None


@dataclass(frozen=True, slots=True)
class Transformed:
    """The samples that a transformation leaves; `left_out` counts the others, by reason."""

    samples: tuple[TransformedSample, ...]
    left_out: Mapping[str, int]


def check_task(card: Card, protocol: ResolvedProtocol) -> None:
    """Raise NotApplicableError where videos cannot be transformed for this task and protocol."""
    if card.metric_family in WITHOUT_SPANS:
        raise NotApplicableError(
            f"{card.name} does not ask for spans in seconds: name a grounding task to probe."
        )
    if protocol.prompt.subtitles != "none":
        raise NotApplicableError(
            f"{protocol.name} shows subtitles, which a probe does not move: name a --protocol "
            "without them."
        )


def transform(samples: Sequence[Sample], change: Transformation) -> Transformed:
    """Transform all samples that can be; other videos are chosen among those of the samples."""
    others = OtherVideos(samples, change.seed)
    kept: list[TransformedSample] = []
    left_out: Counter[str] = Counter()
    for sample in samples:
        result = _transformed(sample, change, others)
        if isinstance(result, str):
            left_out[result] += 1
        else:
            kept.append(result)
    return Transformed(tuple(kept), left_out)


def _transformed(
    sample: Sample, change: Transformation, others: OtherVideos
) -> TransformedSample | str:
    """Return the sample transformed, or why it is left out."""
    if sample.asks is OutputType.CHOICE or not sample.target.spans:
        return NO_MOMENT
    if sample.duration is None:
        return NO_DURATION
    match change.kind:
        case "prepend" | "append":
            return _joined(sample, change, others)
        case "trim":
            return _trimmed(sample, change)
        case "speed":
            parts = at_speed(shown_parts(sample), change.amount)
            return _moved(sample, parts, TimeMap(1 / change.amount, 0.0, _whole(sample)))
        case "reverse":
            parts = backwards(shown_parts(sample))
            return _moved(sample, parts, TimeMap(-1.0, length(parts), _whole(sample)))
        case "swap":
            return _swapped(sample, others)
        case "absent":
            return _asked_for_another(sample, others)


def _whole(sample: Sample) -> Span:
    return Span(0.0, length(shown_parts(sample)))


def _joined(sample: Sample, change: Transformation, others: OtherVideos) -> TransformedSample | str:
    parts = shown_parts(sample)
    seconds = change.seconds(length(parts))
    other = others.other(sample.video, seconds)
    if other is None:
        return NO_OTHER
    added = cut(other.parts, 0.0, seconds)
    if change.kind == "append":
        return _moved(sample, (*parts, *added), TimeMap(1.0, 0.0, _whole(sample)))
    return _moved(sample, (*added, *parts), TimeMap(1.0, seconds, _whole(sample)))


def _trimmed(sample: Sample, change: Transformation) -> TransformedSample | str:
    """Cut off the begin where that leaves the moment whole, else the end."""
    parts = shown_parts(sample)
    duration = length(parts)
    seconds = change.seconds(duration)
    first, last = _hull(sample.target.spans)
    if seconds <= first:
        kept = Span(seconds, duration)
    elif last <= duration - seconds:
        kept = Span(0.0, duration - seconds)
    else:
        return NO_ROOM
    return _moved(sample, cut(parts, *kept), TimeMap(1.0, -kept.start, kept))


def _hull(spans: Iterable[Span]) -> Span:
    spans = tuple(spans)
    return Span(min(min(span) for span in spans), max(max(span) for span in spans))


def _moved(sample: Sample, parts: EditList, time_map: TimeMap) -> TransformedSample | str:
    """Return the sample with its target where the parts show it; saliency is not moved."""
    spans = tuple(moved for span in sample.target.spans if (moved := time_map.span(span)))
    if not spans:
        return NO_MOMENT
    target = Target(spans, sample.target.choice)
    return TransformedSample(_as_shown(sample, parts, target), parts, time_map)


def _as_shown(sample: Sample, parts: EditList, target: Target) -> Sample:
    return replace(sample, duration=length(parts), target=target, clips=())


def _swapped(sample: Sample, others: OtherVideos) -> TransformedSample | str:
    other = others.other(sample.video)
    if other is None:
        return NO_OTHER
    return TransformedSample(_as_shown(sample, other.parts, Target()), other.parts)


def _asked_for_another(sample: Sample, others: OtherVideos) -> TransformedSample | str:
    """Ask on the same video, shown as it is, for an event of another one."""
    other = others.query(sample)
    if other is None:
        return NO_OTHER
    asked = replace(
        sample, query=other.query, options=other.options, asks=other.asks, target=Target()
    )
    return TransformedSample(asked)
