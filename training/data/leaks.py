"""Leaks: training samples that an evaluation split asks about.

Two kinds are counted for each split. A shared video is a leak: the model has seen what it is
scored on. A shared query on another video is none: "a person opens the door" describes many
videos. It is reported all the same, because scores on such queries say less about new wording
(42 % of Charades-STA's test queries stand word for word in its train split).
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
from vtg_eval.errors import MissingFileError, UserError
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root
from vtg_eval.task import Task

from .sample import TrainingSample

TRAIN = "train"  # the one split that is no evaluation split
SHOWN = 3  # splits named in a message
ENDING = re.compile(
    r".\.(?:mp4|mkv|webm|avi|mov|mpg|mpeg|m4v|wmv|flv|3gp|3g2|mts|m2ts|ogv)?\Z", re.IGNORECASE
)

# how data sets write the ids of videos; `at` and `to` are seconds, or h:m:s:ms
_ID = r"(?P<id>[A-Za-z0-9_-]{11})"
_CLOCK = r"\d\d:\d\d:\d\d[:.]\d{3}"
CONVENTIONS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"v_{_ID}",  # ActivityNet
        rf"{_ID}_(?P<at>\d+(?:\.\d+)?)_(?P<to>\d+(?:\.\d+)?)",  # QVHighlights
        rf"{_ID}_(?P<at>{_CLOCK})_(?P<to>{_CLOCK})",  # InternVid
        r"(?P<id>s\d+-d\d+)-cam-\d+",  # TACoS
    )
)


class VideoPart(NamedTuple):
    """A source video's id, and which part of it a file is, as far as its name says (seconds)."""

    id: str
    start: float = -math.inf
    end: float = math.inf

    def overlaps(self, other: VideoPart) -> bool:
        """Tell whether two files show the same frames."""
        return self.id == other.id and self.start < other.end and other.start < self.end


class EvaluationSplit(NamedTuple):
    """What a split asks: pairs of (video, query)."""

    task: str
    name: str
    asked: Sequence[tuple[str, str]]


class Unchecked(NamedTuple):
    """A split that could not be read, and why."""

    task: str
    name: str
    reason: str


class Evaluation(NamedTuple):
    """Every evaluation split of this installation."""

    splits: tuple[EvaluationSplit, ...]
    unchecked: tuple[Unchecked, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitLeaks:
    """What training data and one split share.

    videos, queries: the split's size. shared_videos: ids, as the split has them. Of its queries:
    of_shared_videos; same_words (normalised) and word_for_word (to the letter) as some training
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
    """What was found. `leaking`: ids of the training samples on a shared video."""

    samples: int
    splits: tuple[SplitLeaks, ...]
    unchecked: tuple[Unchecked, ...]
    leaking: frozenset[str]


def installed_splits(registry: Registry, root: Path | None = None) -> Evaluation:
    """Read every evaluation split whose annotations are there: all splits but "train".

    root: the data root, None for the usual place. Tasks that cannot be loaded and files that are
    not there or cannot be opened are listed. Raises DataError for annotations that are malformed.
    """
    splits, unchecked = [], []
    for name in registry.tasks:
        try:
            task: Task = registry.task(name)
        except UserError as exc:
            unchecked.append(Unchecked(name, "*", str(exc)))
            continue
        place = data_root(task, root)
        for facts in task.card.splits:
            if facts.name == TRAIN:
                continue
            try:
                asked = [(s.video, s.query) for s in task.samples(place, facts.name)]
                splits.append(EvaluationSplit(name, facts.name, asked))
            except (MissingFileError, OSError) as exc:
                unchecked.append(Unchecked(name, facts.name, str(exc)))
    return Evaluation(tuple(splits), tuple(unchecked))


def find_leaks(samples: Sequence[TrainingSample], evaluation: Evaluation) -> LeakReport:
    """Compare training samples with every split."""
    trained = _Trained(samples)
    splits = tuple(_compare(trained, split) for split in evaluation.splits)
    asked = {video for split in evaluation.splits for video, _ in split.asked}
    leaking = frozenset(name for video in asked for name in trained.on(video_part(video)))
    return LeakReport(len(samples), splits, evaluation.unchecked, leaking)


def apply_leaks(
    samples: Sequence[TrainingSample],
    report: LeakReport,
    rule: Literal["refuse", "drop", "keep"],
) -> tuple[TrainingSample, ...]:
    """Return the samples to train on; raises UserError for "refuse" where there is a leak.

    Only shared videos count (see above).
    """
    if rule == "keep" or not report.leaking:
        return tuple(samples)
    if rule == "drop":
        return tuple(sample for sample in samples if sample.id not in report.leaking)
    hit = [split for split in report.splits if split.shared_videos]
    named = [f"{s.task} {s.split} ({len(s.shared_videos)} of {s.videos} videos)" for s in hit]
    rest = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    raise UserError(
        f"{len(report.leaking)} of {report.samples} training samples are about videos that are "
        f"scored: {', '.join(named[:SHOWN])}{rest}. "
        'Set leaks = "drop" under [data] in the recipe to leave them out, or "keep" to train on '
        "them and say so with the scores."
    )


def video_part(video: str) -> VideoPart:
    """Return the source video behind a path or id, whichever convention it is written by.

    Folders and suffixes go, case stays. An id is compared with those of all data sets, so that
    files that are merely numbered ("001.mp4") may be taken for one another.
    """
    name = PurePosixPath(video).name
    while ENDING.search(name):
        name = name[: name.rindex(".")]
    for convention in CONVENTIONS:
        match = convention.fullmatch(name)
        if match:
            found = match.groupdict()
            if "at" not in found:
                return VideoPart(found["id"])
            return VideoPart(found["id"], _seconds(found["at"]), _seconds(found["to"]))
    return VideoPart(name)


class _Trained:
    """The training samples by video and by query."""

    def __init__(self, samples: Iterable[TrainingSample]) -> None:
        self._parts: dict[str, dict[VideoPart, set[str]]] = defaultdict(dict)
        self._words: dict[str, set[VideoPart]] = defaultdict(set)
        self.letters: set[str] = set()
        for sample in samples:
            part = video_part(sample.video)
            self._parts[part.id].setdefault(part, set()).add(sample.id)
            self._words[normalised(sample.query)].add(part)
            self.letters.add(sample.query.strip())

    def on(self, part: VideoPart) -> set[str]:
        """Return the ids of the samples on a video."""
        parts = self._parts.get(part.id, {})
        return {name for mine, names in parts.items() if mine.overlaps(part) for name in names}

    def videos_of(self, query: str) -> set[VideoPart]:
        """Return the videos for which these words are trained on."""
        return self._words.get(normalised(query), set())


def _compare(trained: _Trained, split: EvaluationSplit) -> SplitLeaks:
    videos = {video: video_part(video) for video, _ in split.asked}
    shared = {video for video, part in videos.items() if trained.on(part)}
    of_shared = same = to_the_letter = both = unseen = 0
    for video, query in split.asked:
        elsewhere = trained.videos_of(query)
        of_shared += video in shared
        same += bool(elsewhere)
        to_the_letter += query.strip() in trained.letters
        both += any(part.overlaps(videos[video]) for part in elsewhere)
        unseen += video not in shared and not elsewhere
    return SplitLeaks(
        task=split.task,
        split=split.name,
        videos=len(videos),
        queries=len(split.asked),
        shared_videos=tuple(sorted(shared)),
        of_shared_videos=of_shared,
        same_words=same,
        word_for_word=to_the_letter,
        both=both,
        unseen=unseen,
    )


def _seconds(written: str) -> float:
    """Return the seconds of "660.0" or "00:00:39:000"."""
    parts = [float(part) for part in re.split(r"[:.]", written)] if ":" in written else []
    if not parts:
        return float(written)
    hours, minutes, seconds, thousandths = parts
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000
