"""Check of a split: its annotations, also against the card and the videos."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from vtg_eval.annotations.records import shown
from vtg_eval.annotations.split import unusable
from vtg_eval.annotations.text import lines_not_utf8
from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.files.digests import subset_digest
from vtg_eval.task import SplitMetadata, Task
from vtg_eval.types import OutputType, Sample, Span
from vtg_eval.video.completeness import require_annotated
from vtg_eval.video.frames import VideoInfo

Key = TypeVar("Key", bound=Hashable)

# Seconds by which times may differ before it counts as a fault of the data.
SLACK = 1.0
# A product of rounded fractions and durations is off by less than this (seconds).
NOISE = 1e-3
MISSING = "videos missing"

# Returns the metadata of one video file; raises VideoError where it cannot be read.
Probe = Callable[[Path], VideoInfo]


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of fault and where it occurs (sample or video ids, in file order).

    `serious`: a run on these files would be wrong or incomplete.
    """

    name: str
    where: tuple[str, ...]
    serious: bool

    @property
    def count(self) -> int:
        """Return the number of cases."""
        return len(self.where)


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of a check. `subset`: sha256 over the ids of samples whose video exists."""

    task: str
    split: str
    queries: int
    videos: int
    expected_queries: int
    expected_videos: int
    videos_present: int
    samples_present: int
    subset: str
    findings: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Whether the counts match the card and no finding is serious."""
        return self.sound and self.videos_present == self.videos

    @property
    def sound(self) -> bool:
        """Whether this is so apart from missing videos, which scoring does not need."""
        counts_match = (  # 0: the card does not know
            self.expected_queries in (0, self.queries) and self.expected_videos in (0, self.videos)
        )
        return counts_match and not any(
            f.serious and f.count for f in self.findings if f.name != MISSING
        )


def audit(task: Task, root: Path, split: str, probe: Probe) -> Audit:
    """Check one split. Raises UserError where the annotations are missing or malformed.

    Samples that cannot be used, and lines that are not UTF-8, are findings; both end a run.
    """
    with lines_not_utf8() as bad_lines:
        read = task.samples(root, split)
    faults = tuple(f"{shown(s.id)} {fault}" for s in read if (fault := unusable(s)))
    samples = [sample for sample in read if not unusable(sample)]
    metadata = next(metadata for metadata in task.card.splits if metadata.name == split)
    paths = {sample.video: task.video_path(root, sample.video) for sample in samples}
    present = {video: path for video, path in paths.items() if path.is_file()}
    durations = {s.video: s.duration for s in samples if s.duration is not None and not s.clips}
    infos, unreadable, cut = _probe_all(present, probe, durations)
    missing = tuple(video for video in paths if video not in present)
    findings = (
        Finding("not UTF-8", tuple(bad_lines), serious=True),
        Finding("unusable samples", faults, serious=True),
        *_annotation_findings(samples),
        Finding(MISSING, missing, serious=True),
        Finding("videos unreadable", unreadable, serious=True),
        Finding("videos cut short", cut, serious=True),
        *_duration_findings(samples, {video: info.duration for video, info in infos.items()}),
    )
    return _summary(task, metadata, samples, present, findings)


def _summary(
    task: Task,
    metadata: SplitMetadata,
    samples: Sequence[Sample],
    present: Mapping[str, Path],
    findings: tuple[Finding, ...],
) -> Audit:
    return Audit(
        task=task.card.name,
        split=metadata.name,
        queries=len(samples),
        videos=len({sample.video for sample in samples}),
        expected_queries=metadata.queries,
        expected_videos=metadata.videos,
        videos_present=len(present),
        samples_present=sum(sample.video in present for sample in samples),
        subset=subset_digest(sample.id for sample in samples if sample.video in present),
        findings=findings,
    )


def _probe_all(
    paths: Mapping[str, Path], probe: Probe, durations: Mapping[str, float]
) -> tuple[dict[str, VideoInfo], tuple[str, ...], tuple[str, ...]]:
    """Return the readable videos' metadata, and why others are unreadable or cut short."""
    infos: dict[str, VideoInfo] = {}
    unreadable: list[str] = []
    cut: list[str] = []
    bar = tqdm(paths.items(), "reading videos", unit="video", disable=None, leave=False)
    for video, path in bar:
        try:
            infos[video] = probe(path)
            require_annotated(path.name, infos[video], durations.get(video))
        except CutShortError as exc:
            cut.append(f"{video}: {exc}")
        except VideoError as exc:
            unreadable.append(f"{video}: {exc}")
    return infos, tuple(unreadable), tuple(cut)


def _annotation_findings(samples: Sequence[Sample]) -> Iterator[Finding]:
    spans = [(sample, span) for sample in samples for span in sample.target.spans]
    yield Finding("duplicate sample ids", _repeated(s.id for s in samples), serious=True)
    unasked = tuple(s.id for s in samples if not s.query.strip())
    yield Finding("empty query", unasked, serious=False)
    questions = _repeated((s.video, s.query, s.asks, s.clips) for s in samples)
    pairs = tuple(f"{video}: {query}" for video, query, *_ in questions)
    yield Finding("duplicate (video, query)", pairs, serious=False)
    empty = tuple(s.id for s, span in spans if not span.start < span.end)
    yield Finding("truth empty or reversed", empty, serious=False)
    negative = tuple(
        s.id for s, span in spans if min(span) < 0 or not all(map(math.isfinite, span))
    )
    yield Finding("truth before the start or not finite", negative, serious=False)
    joined = tuple(s.id for s in samples if _overlap_or_touch(s.target.spans))
    yield Finding("truth spans that overlap or touch", joined, serious=False)
    lengths = {s.id: s.duration for s in samples if s.duration is not None}
    yield from _beyond("annotated", spans, lengths)
    yield from _option_findings(
        [s for s in samples if s.options and s.asks is not OutputType.SPANS]
    )


def _overlap_or_touch(spans: Sequence[Span]) -> bool:
    ordered = sorted(spans)
    return any(before.end >= after.start for before, after in pairwise(ordered))


def _option_findings(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Find questions whose options do not have exactly one right answer."""
    hopeless = tuple(s.id for s in samples if s.target.choice not in s.letters)
    yield Finding("no right option", hopeless, serious=False)
    twice = tuple(s.id for s in samples if _right_option_twice(s))
    yield Finding("the right option stands there twice", twice, serious=False)
    empty = tuple(s.id for s in samples if not all(option.strip() for option in s.options))
    yield Finding("empty options", empty, serious=False)
    alone = tuple(s.id for s in samples if len(s.options) == 1)
    yield Finding("one option only", alone, serious=False)


def _right_option_twice(sample: Sample) -> bool:
    if sample.target.choice is None or sample.target.choice not in sample.letters:
        return False
    right = sample.options[sample.letters.index(sample.target.choice)]
    return sample.options.count(right) > 1


def _duration_findings(
    samples: Sequence[Sample], lengths: Mapping[str, float]
) -> Iterator[Finding]:
    """Compare the files' lengths (seconds, by video) with the annotations."""
    annotated = {s.video: s.duration for s in samples if s.duration is not None}
    gaps = {v: lengths[v] - annotated[v] for v in lengths if v in annotated}
    short = tuple(f"{v}: {gap:+.2f} s" for v, gap in gaps.items() if gap < -SLACK)
    yield Finding("videos shorter than annotated by over 1 s", short, serious=True)
    long = tuple(f"{v}: {gap:+.2f} s" for v, gap in gaps.items() if gap > SLACK)
    yield Finding("videos longer than annotated by over 1 s", long, serious=False)
    spans = [(sample, span) for sample in samples for span in sample.target.spans]
    by_sample = {s.id: lengths[s.video] for s in samples if s.video in lengths}
    yield from _beyond("file's", spans, by_sample)


def _beyond(
    source: str, spans: Sequence[tuple[Sample, Span]], lengths: Mapping[str, float]
) -> Iterator[Finding]:
    over = [(s.id, span.end - lengths[s.id]) for s, span in spans if s.id in lengths]
    beyond = tuple(name for name, seconds in over if seconds > NOISE)
    far = tuple(name for name, seconds in over if seconds > SLACK)
    yield Finding(f"truth beyond the {source} end", beyond, serious=False)
    yield Finding(f"truth beyond the {source} end by over 1 s", far, serious=False)


def _repeated(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Return each repeated key, once for every occurrence after the first."""
    seen: set[Key] = set()
    repeated = []
    for key in keys:
        if key in seen:
            repeated.append(key)
        seen.add(key)
    return tuple(repeated)
