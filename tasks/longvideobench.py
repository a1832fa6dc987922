"""LongVideoBench: questions that refer to a moment, often by its subtitle, of a long video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.annotations.subtitles import read_subtitles
from vtg_eval.errors import DataError
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Cue, Group, OutputType, Sample, Target, option_letter

ANNOTATION = "lvb_val.json"
GROUPINGS = (("question category", "question_category"), ("topic", "topic_category"))


class _SubtitleFile(NamedTuple):
    """A video's file of subtitles, and the time in it (seconds) at which the video starts."""

    name: str
    start: float


class LongVideoBench(Task):
    """A video's id is its file's name; the subtitles are those of the longer original video."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the samples; the id is the file's own."""
        return [_sample(record) for record in read_list(self.file(root, ANNOTATION))]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, suffixes=("",))

    def subtitles(self, root: Path, sample: Sample) -> Sequence[Cue]:
        """Return the subtitles from the video's start to its end, in the video's own time.

        Every video has them. Raises DataError where the file is missing or cannot be read.
        """
        annotation = self.file(root, ANNOTATION)
        subtitle_file = _subtitle_files(annotation, annotation.stat().st_mtime_ns).get(sample.video)
        if subtitle_file is None:
            raise DataError(f"{annotation} has no video {sample.video}.")
        path = found_video(self.folder(root), root, subtitle_file.name, ("subtitles",), ("",))
        return read_subtitles(path, subtitle_file.start, sample.duration or float("inf"))


@lru_cache(maxsize=1)
def _subtitle_files(annotation: Path, modified: int) -> Mapping[str, _SubtitleFile]:
    """Return each video's subtitle file; `modified` (ns) keeps the cache from being stale."""
    return {
        record.text("video_path"): _SubtitleFile(
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
        target=Target(choice=option_letter(right)),
        duration=record.duration("duration"),
        options=options,
        groups=(
            Group("duration group", f"{record.whole('duration_group')} s"),
            *(Group(grouping, record.text(key)) for grouping, key in GROUPINGS),
        ),
        asks=OutputType.CHOICE,
    )


TASK = LongVideoBench()
