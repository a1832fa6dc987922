"""Leaks: training samples on videos of an evaluation split.

Two kinds of overlap are counted for each split. A shared video is a leak: the model is trained on
a video that it is scored on. A shared query on another video is not a leak: "a person opens the
door" describes many videos. It is reported too, because scores on such queries say less about new
wording (42 % of Charades-STA's test queries occur word for word in its train split).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from vtg_eval.annotations.query_overlap import normalised
from vtg_eval.annotations.split import read_split
from vtg_eval.errors import MissingFileError, UserError
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root
from vtg_eval.task import Task

from .sample import TrainingSample

TRAIN = "train"  # the only split that is not an evaluation split
SHOWN = 3  # splits named in a message
ENDING = re.compile(
    r".\.(?:mp4|mkv|webm|avi|mov|mpg|mpeg|m4v|wmv|flv|3gp|3g2|mts|m2ts|ogv)?\Z", re.IGNORECASE
)

# how data sets write the ids of videos; `start` and `end` are seconds, or h:m:s:ms
_ID = r"(?P<id>[A-Za-z0-9_-]{11})"
_CLOCK = r"\d\d:\d\d:\d\d[:.]\d{3}"
CONVENTIONS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"v_{_ID}",  # ActivityNet
        rf"{_ID}_(?P<start>\d+(?:\.\d+)?)_(?P<end>\d+(?:\.\d+)?)",  # QVHighlights
        rf"{_ID}_(?P<start>{_CLOCK})_(?P<end>{_CLOCK})",  # InternVid
        r"(?P<id>s\d+-d\d+)-cam-\d+",  # TACoS
    )
)


class VideoPart(NamedTuple):
    """A source video's id, and the part of it that a file shows, by the file's name (seconds)."""

    id: str
    start: float = -math.inf
    end: float = math.inf

    def overlaps(self, other: VideoPart) -> bool:
        """Tell whether two files show some of the same frames."""
        return self.id == other.id and self.start < other.end and other.start < self.end


class EvaluationSplit(NamedTuple):
    """The (video, query) pairs of a split."""

    task: str
    name: str
    asked: Sequence[tuple[str, str]]


class Unchecked(NamedTuple):
    """A split that could not be read, and the reason."""

    task: str
    name: str
    reason: str


class Evaluation(NamedTuple):
    """All evaluation splits of this installation."""

    splits: tuple[EvaluationSplit, ...]
    unchecked: tuple[Unchecked, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitLeaks:
    """The overlap of the training data with one split.

    videos, queries: the split's size. shared_videos: the split's ids. Counts of its queries:
    of_shared_videos; same_words (normalised text) and word_for_word (exact text) as a training
    query on any video; both: the same words on the same video; unseen: neither.
    """

    task: str
    split: str
    videos: int
    queries: int
    shared_videos: tuple[str, ...]
    of_shared_videos: int
    same_words: int
    word_for_word: int
    both: int
    unseen: int


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The overlap with all splits. leaking: ids of the training samples on a shared video."""

    samples: int
    splits: tuple[SplitLeaks, ...]
    unchecked: tuple[Unchecked, ...]
    leaking: frozenset[str]


def installed_splits(registry: Registry, root: Path | None = None) -> Evaluation:
    """Read every evaluation split (all but "train") whose annotations are installed.

    root: the data root, None for the default. Tasks that cannot be loaded, and missing or
    unreadable files, are listed. Raises DataError for malformed annotations.
    """
    splits, unchecked = [], []
    for name in registry.tasks:
        try:
            task: Task = registry.task(name)
        except UserError as exc:
            unchecked.append(Unchecked(name, "*", str(exc)))
            continue
        folder = data_root(task, root)
        for split in (split.name for split in task.card.splits if split.name != TRAIN):
            try:
                asked = [(s.video, s.query) for s in read_split(task, folder, split)]
                splits.append(EvaluationSplit(name, split, asked))
            except (MissingFileError, OSError) as exc:
                unchecked.append(Unchecked(name, split, str(exc)))
    return Evaluation(tuple(splits), tuple(unchecked))


def find_leaks(samples: Sequence[TrainingSample], evaluation: Evaluation) -> LeakReport:
    """Compare training samples with every split."""
    trained = _TrainingIndex(samples)
    splits = tuple(_compare(trained, split) for split in evaluation.splits)
    asked = {video for split in evaluation.splits for video, _ in split.asked}
    leaking = frozenset(name for video in asked for name in trained.on(video_part(video)))
    return LeakReport(len(samples), splits, evaluation.unchecked, leaking)


def apply_leaks(
    samples: Sequence[TrainingSample],
    report: LeakReport,
    rule: Literal["refuse", "drop", "keep"],
) -> tuple[TrainingSample, ...]:
    """Return the samples to train on; raises UserError for "refuse" if any sample leaks.

    Only shared videos are leaks (see above).
    """
    if rule == "keep" or not report.leaking:
        return tuple(samples)
    if rule == "drop":
        return tuple(sample for sample in samples if sample.id not in report.leaking)
    shared = [split for split in report.splits if split.shared_videos]
    listed = [f"{s.task} {s.split} ({len(s.shared_videos)} of {s.videos} videos)" for s in shared]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    raise UserError(
        f"{len(report.leaking)} of {report.samples} training samples are about videos that are "
        f"scored: {', '.join(listed[:SHOWN])}{more}. "
        'Set leaks = "drop" under [data] in the recipe to leave them out, or "keep" to train on '
        "them and state that with the scores."
    )


def video_part(video: str) -> VideoPart:
    """Return the source video of a path or id, by any of the naming conventions.

    Folders and suffixes are removed, case is kept. Ids are compared across all data sets, so
    different videos with plain numbers as names ("001.mp4") may count as the same.
    """
    name = PurePosixPath(video).name
    while ENDING.search(name):
        name = name[: name.rindex(".")]
    for convention in CONVENTIONS:
        match = convention.fullmatch(name)
        if match:
            fields = match.groupdict()
            if "start" not in fields:
                return VideoPart(fields["id"])
            return VideoPart(fields["id"], _seconds(fields["start"]), _seconds(fields["end"]))
    return VideoPart(name)


class _TrainingIndex:
    """The training samples by video and by query."""

    def __init__(self, samples: Iterable[TrainingSample]) -> None:
        self._parts: dict[str, dict[VideoPart, set[str]]] = defaultdict(dict)
        self._videos: dict[str, set[VideoPart]] = defaultdict(set)
        self.queries: set[str] = set()
        for sample in samples:
            part = video_part(sample.video)
            self._parts[part.id].setdefault(part, set()).add(sample.id)
            self._videos[normalised(sample.query)].add(part)
            self.queries.add(sample.query.strip())

    def on(self, part: VideoPart) -> set[str]:
        """Return the ids of the samples on a part of a video."""
        parts = self._parts.get(part.id, {})
        return {
            sample_id
            for trained, sample_ids in parts.items()
            if trained.overlaps(part)
            for sample_id in sample_ids
        }

    def videos_of(self, query: str) -> set[VideoPart]:
        """Return the videos with this query (normalised) in the training data."""
        return self._videos.get(normalised(query), set())


def _compare(trained: _TrainingIndex, split: EvaluationSplit) -> SplitLeaks:
    videos = {video: video_part(video) for video, _ in split.asked}
    shared = {video for video, part in videos.items() if trained.on(part)}
    of_shared = same_words = word_for_word = both = unseen = 0
    for video, query in split.asked:
        same_query = trained.videos_of(query)
        of_shared += video in shared
        same_words += bool(same_query)
        word_for_word += query.strip() in trained.queries
        both += any(part.overlaps(videos[video]) for part in same_query)
        unseen += video not in shared and not same_query
    return SplitLeaks(
        task=split.task,
        split=split.name,
        videos=len(videos),
        queries=len(split.asked),
        shared_videos=tuple(sorted(shared)),
        of_shared_videos=of_shared,
        same_words=same_words,
        word_for_word=word_for_word,
        both=both,
        unseen=unseen,
    )


def _seconds(text: str) -> float:
    """Return the seconds of "660.0" or "00:00:39:000"."""
    parts = [float(part) for part in re.split(r"[:.]", text)] if ":" in text else []
    if not parts:
        return float(text)
    hours, minutes, seconds, thousandths = parts
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000
