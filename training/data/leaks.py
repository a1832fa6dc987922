"""Leaks: training samples on videos of an evaluation split.

Two kinds of overlap are counted for each split. A shared video is a leak: the model is trained on
a video that it is scored on. It is refused for the splits of held-out tasks (`held_out`) and
counted for all, because some tasks divide the videos of another one anew. A shared query on
another video is not a leak: "a person opens the door" describes many videos. It is reported too,
because scores on such queries say less about new wording (42 % of Charades-STA's test queries occur
word for word in its train split).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from vtg_eval.annotations.query_overlap import normalised
from vtg_eval.annotations.split import read_split
from vtg_eval.errors import MissingFileError, UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root
from vtg_eval.task import Task

from .sample import TrainingSample
from .video_names import VideoPart, video_part

TRAIN = "train"  # the only split that is not an evaluation split
SHOWN = 3  # splits named in a message


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
    """The overlap of the training data with one split. held_out: whether it must have none.

    videos, queries: the split's size. shared_videos: the split's ids. Counts of its queries:
    of_shared_videos; same_words (normalised text) and word_for_word (exact text) as a training
    query on any video; both: the same words on the same video; unseen: neither.
    """

    task: str
    split: str
    held_out: bool
    videos: int
    queries: int
    shared_videos: tuple[str, ...]
    of_shared_videos: int
    same_words: int
    word_for_word: int
    both: int
    unseen: int


class Leak(NamedTuple):
    """A training sample, by its id, on a video of a held-out split, by the split's id for it."""

    sample: str
    task: str
    split: str
    video: str


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The overlap of a number of training samples with all splits, and each leak."""

    samples: int
    splits: tuple[SplitLeaks, ...]
    unchecked: tuple[Unchecked, ...]
    leaks: tuple[Leak, ...]

    @property
    def leaking(self) -> frozenset[str]:
        """The ids of the training samples that leak."""
        return frozenset(leak.sample for leak in self.leaks)


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


def find_leaks(
    samples: Sequence[TrainingSample], evaluation: Evaluation, held_out: Collection[str]
) -> LeakReport:
    """Compare training samples with every split; a video shared with a held-out task is a leak."""
    trained = _TrainingIndex(samples)
    splits = tuple(_compare(trained, split, split.task in held_out) for split in evaluation.splits)
    leaks = tuple(
        Leak(sample, split.task, split.split, video)
        for split in splits
        if split.held_out
        for video in split.shared_videos
        for sample in sorted(trained.on(video_part(video)))
    )
    return LeakReport(len(samples), splits, evaluation.unchecked, leaks)


def write_leaks(path: Path, leaks: Sequence[Leak]) -> None:
    """Write a line of JSON for each leak; without any, remove the file of an earlier check."""
    if leaks:
        lines = (json.dumps(leak._asdict(), ensure_ascii=False) + "\n" for leak in leaks)
        write_text(path, "".join(lines))
    else:
        path.unlink(missing_ok=True)


def apply_leaks(
    samples: Sequence[TrainingSample],
    report: LeakReport,
    rule: Literal["refuse", "drop", "keep"],
    listed: Path,
) -> tuple[TrainingSample, ...]:
    """Return the samples to train on; raises UserError for "refuse" if any sample leaks.

    Only videos shared with held-out tasks are leaks (see above). listed: the file of all leaks, for
    the message.
    """
    leaking = report.leaking
    if rule == "keep" or not leaking:
        return tuple(samples)
    if rule == "drop":
        return tuple(sample for sample in samples if sample.id not in leaking)
    shared = [split for split in report.splits if split.held_out and split.shared_videos]
    named = [f"{s.task} {s.split} ({len(s.shared_videos)} of {s.videos} videos)" for s in shared]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    raise UserError(
        f"{len(leaking)} of {report.samples} training samples are about videos that are "
        f"scored: {', '.join(named[:SHOWN])}{more}. All are listed in {listed}. "
        'Set leaks = "drop" under [data] in the recipe to leave them out, or "keep" to train on '
        "them and state that with the scores, or name under against the tasks whose videos must "
        "not be trained on."
    )


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


def _compare(trained: _TrainingIndex, split: EvaluationSplit, held_out: bool) -> SplitLeaks:
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
        held_out=held_out,
        videos=len(videos),
        queries=len(split.asked),
        shared_videos=tuple(sorted(shared)),
        of_shared_videos=of_shared,
        same_words=same_words,
        word_for_word=word_for_word,
        both=both,
        unseen=unseen,
    )
