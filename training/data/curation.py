"""Curation: which samples are fit to learn from, by named filters that count what they drop.

`with_label_noise` is applied before the filters, in studies of what wrong labels do to a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

import numpy as np

from vtg_eval.annotations.query_overlap import normalised
from vtg_eval.metrics.interval_sets import set_iou
from vtg_eval.parsing.spans import span_parser
from vtg_eval.types import Span

from ..recipe import Bounds, FilterRule
from .answers import well_formed
from .sample import TrainingSample

SHOWN = 5  # ids named in a report or a message
OPEN = FilterRule()  # the default bounds, which let everything pass

Passes = Callable[[TrainingSample], bool]


class Dropped(NamedTuple):
    """What one filter dropped: how many samples of those that reached it, and the first ids."""

    filter: str
    reached: int
    dropped: int
    first: tuple[str, ...]


class Curated(NamedTuple):
    """The samples that are kept, in their order, and what each filter dropped, in its order."""

    kept: tuple[TrainingSample, ...]
    report: tuple[Dropped, ...]


def curate(samples: Sequence[TrainingSample], rule: FilterRule) -> Curated:
    """Pass the samples through the rule's filters, one after the other.

    "moment" always applies: a label must end after it starts, and begin before the video ends.
    The default bounds let everything pass; other bounds drop a sample without the value that they
    apply to (a duration, a moment). Filters on the reasoning text drop a sample without one.
    Duplicates are dropped last, so that of several samples the first good one is kept.
    """
    kept, report = tuple(samples), []
    for name, passes in _filters(rule):
        passed = [passes(sample) for sample in kept]
        dropped = [s.id for s, ok in zip(kept, passed, strict=True) if not ok]
        report.append(Dropped(name, len(kept), len(dropped), tuple(dropped[:SHOWN])))
        kept = tuple(s for s, ok in zip(kept, passed, strict=True) if ok)
    return Curated(kept, tuple(report))


def dropped_counts(report: Sequence[Dropped]) -> str:
    """Return what each filter dropped of how many samples, for a message; "" for nothing."""
    return ", ".join(f"{d.filter}: {d.dropped} of {d.reached}" for d in report if d.dropped)


def shared_samples(
    samples: Sequence[TrainingSample], others: Sequence[TrainingSample]
) -> tuple[TrainingSample, ...]:
    """Return the samples that have the same question as one of the others, whatever their ids."""
    asked = {_question(other) for other in others}
    return tuple(sample for sample in samples if _question(sample) in asked)


def reasoning_iou(sample: TrainingSample) -> float:
    """Return the IoU of the spans that the reasoning text ends in with the label, 0 to 1.

    The strict protocol's parser reads the final answer; several spans are one set. 0 without any.
    """
    spans = span_parser("strict-2")(sample.reasoning or "").spans
    return float(set_iou([list(spans)], [list(sample.spans)])[0])


def _filters(rule: FilterRule) -> Iterator[tuple[str, Passes]]:
    yield "moment", _has_proper_moment
    if rule.format != "any":
        form = rule.format
        yield f"format {form}", lambda s: well_formed((s.reasoning or "").strip(), form)
    if rule.reasoning_iou > 0:
        least = rule.reasoning_iou
        yield f"reasoning agrees, IoU {least:g}", lambda s: reasoning_iou(s) >= least
    for name, values, bounds, default in (
        ("moment length", _lengths, rule.moment_seconds, OPEN.moment_seconds),
        ("video length", _duration, rule.video_seconds, OPEN.video_seconds),
        ("moment share", _share, rule.moment_share, OPEN.moment_share),
    ):
        if bounds != default:
            yield _named(name, bounds), _within(values, bounds)
    if rule.duplicates:
        yield "duplicates", _is_first()


def _named(name: str, bounds: Bounds) -> str:
    return f"{name}, {bounds[0]:g} to {bounds[1]:g}"


def _within(values: Callable[[TrainingSample], Sequence[float]], bounds: Bounds) -> Passes:
    """Return a filter: the sample has a value, and all its values lie between the bounds."""
    low, high = bounds

    def passes(sample: TrainingSample) -> bool:
        measured = values(sample)
        return bool(measured) and all(low <= value <= high for value in measured)

    return passes


def _lengths(sample: TrainingSample) -> Sequence[float]:
    return [end - start for start, end in sample.spans]


def _duration(sample: TrainingSample) -> Sequence[float]:
    return [] if sample.duration is None else [sample.duration]


def _share(sample: TrainingSample) -> Sequence[float]:
    """Return the length of all moments together as a share of the video."""
    if sample.duration is None or not sample.spans:
        return []
    return [sum(_lengths(sample)) / sample.duration]


def _has_proper_moment(sample: TrainingSample) -> bool:
    length = math.inf if sample.duration is None else sample.duration
    return all(_proper(span, length) for span in sample.spans)


def _proper(span: Span, length: float) -> bool:
    return all(map(math.isfinite, span)) and max(span.start, 0.0) < min(span.end, length)


def _is_first() -> Passes:
    """Return a filter: no earlier sample has the same query about the same part of the video."""
    seen: set[object] = set()

    def passes(sample: TrainingSample) -> bool:
        key = _question(sample)
        new = key not in seen
        seen.add(key)
        return new

    return passes


def _question(sample: TrainingSample) -> object:
    """Return what is asked: the same query about the same part of a video is one question."""
    return (sample.video, sample.clip, normalised(sample.query), sample.options)


def with_label_noise(samples: Sequence[TrainingSample], share: float) -> tuple[TrainingSample, ...]:
    """Return the samples, a share of them with wrong labels: moments moved to another time.

    The share is of the samples with a duration and one or more spans. The first span is moved and
    keeps its length; the others are removed. The choice of samples and the new times depend on
    the samples' ids only.
    """
    movable = [sample for sample in samples if sample.spans and sample.duration]
    shuffled = sorted(movable, key=lambda sample: crc32(sample.id.encode()))
    moved = {sample.id: _moved(sample) for sample in shuffled[: round(share * len(movable))]}
    return tuple(moved.get(sample.id, sample) for sample in samples)


def _moved(sample: TrainingSample) -> TrainingSample:
    start, end = sample.spans[0]
    length = end - start
    latest = max((sample.duration or 0.0) - length, 0.0)
    moved = float(np.random.default_rng(crc32(sample.id.encode())).uniform(0.0, latest))
    return replace(sample, spans=(Span(moved, moved + length),))
