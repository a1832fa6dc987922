"""LVBench: questions on videos of an hour; a question may be of several types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.annotations.multiple_choice import matching_letter, split_options, unlabelled
from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Target


class LVBench(Task):
    """`test` is the official file; `clean` is VideoChat-Flash's, with other names for videos."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples in the order of its file."""
        if split == "clean":
            rows = read_list(self.file(root, "lvbench_clean.json"))
            return [_clean_sample(number, row) for number, row in enumerate(rows)]
        videos = read_lines(self.file(root, "video_info.meta.jsonl"))
        return [_sample(video, row) for video in videos for row in video.records("qa")]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        folders = ("videos", "all_videos")
        return found_video(self.folder(root), root, video, folders, (".mp4", ".mkv", ".webm"))


def _sample(video: AnnotationRecord, row: AnnotationRecord) -> Sample:
    query, options = split_options(row.text("question"))
    return Sample(
        id=row.text("uid"),
        video=video.text("key"),
        query=query,
        target=Target(choice=row.text("answer")),
        options=options,
        groups=_groups(video, row),
        asks=OutputType.CHOICE,
    )


def _clean_sample(number: int, row: AnnotationRecord) -> Sample:
    candidates = row.texts("candidates")
    return Sample(
        id=str(number),
        video=row.text("video"),
        query=row.text("question"),
        target=Target(choice=matching_letter(row.text("answer"), candidates)),
        options=unlabelled(candidates, "({letter}) "),
        groups=_groups(row, row),
        asks=OutputType.CHOICE,
    )


def _groups(video: AnnotationRecord, row: AnnotationRecord) -> tuple[Group, ...]:
    kinds = dict.fromkeys(row.texts("question_type"))
    return (
        *(Group("question type", kind) for kind in kinds),
        *((Group("video type", video.text("type")),) if "type" in video.table else ()),
    )


TASK = LVBench()
