"""LongVideoBench: questions that refer to a moment, often by its subtitle, of a long video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.annotations.subtitles import read_subtitles
from vtg_eval.errors import DataError
from vtg_eval.parsing.chosen import lettered
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Cue, Group, OutputType, Sample, Target

ANNOTATION = "lvb_val.json"
GROUPINGS = (("question category", "question_category"), ("topic", "topic_category"))


class _Words(NamedTuple):
    """A video's file of subtitles, and what its times say at the video's start (seconds)."""

    name: str
    start: float


class LongVideoBench(Task):
    """A video's id is its file's name; the subtitles are those of the longer original video."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the samples; the id is the file's own."""
        return [_sample(record) for record in read_list(self.file(root, ANNOTATION))]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual place that holds the video, else the first of them."""
        return found_video(self.folder(root), root, video, suffixes=("",))

    def subtitles(self, root: Path, sample: Sample) -> Sequence[Cue]:
        """Return the subtitles from the video's start to its end, in the video's own time.

        Every video has them. Raises DataError where the file is missing or cannot be read.
        """
        annotation = self.file(root, ANNOTATION)
        words = _words(annotation, annotation.stat().st_mtime_ns).get(sample.video)
        if words is None:
            raise DataError(f"{annotation} has no video {sample.video}.")
        path = self.folder(root) / "subtitles" / words.name
        return read_subtitles(path, words.start, sample.duration or float("inf"))


@lru_cache(maxsize=1)
def _words(annotation: Path, changed: int) -> Mapping[str, _Words]:
    """Return each video's subtitles; `changed` is the file's time, so that no old one is used."""
    return {
        record.text("video_path"): _Words(
            record.text("subtitle_path"), record.seconds("starting_timestamp_for_subtitles")
        )
        for record in read_list(annotation)
    }


def _sample(record: AnnotationRecord) -> Sample:
    options, right = record.texts("candidates"), record.whole("correct_choice")
    if not 0 <= right < len(options):
        raise DataError(f'{record.where}: "correct_choice" is {right} of {len(options)} options.')
    return Sample(
        id=record.text("id"),
        video=record.text("video_path"),
        query=record.text("question"),
        target=Target(choice=lettered(options)[right][0]),
        duration=record.seconds("duration"),
        options=options,
        groups=(
            Group("duration group", f"{record.whole('duration_group')} s"),
            *(Group(grouping, record.text(key)) for grouping, key in GROUPINGS),
        ),
        asks=OutputType.CHOICE,
    )


TASK = LongVideoBench()
