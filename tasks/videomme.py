"""Video-MME: three questions on each of 900 videos, short, medium and long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.annotations.multiple_choice import any_file, read_rows, unlabelled
from vtg_eval.annotations.records import AnnotationRecord
from vtg_eval.annotations.subtitles import read_subtitles
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Cue, Group, OutputType, Sample, Target

PARQUET = "test-00000-of-00001.parquet"
FILES = (PARQUET, f"videomme/{PARQUET}", "output_test_template.json")
VIDEO_FOLDERS = ("videos", "data", "video")
SUFFIXES = (".mp4", ".MP4", ".mkv")
# a grouping and the key that it comes from
GROUPINGS = (("domain", "domain"), ("sub-category", "sub_category"), ("task type", "task_type"))


class VideoMME(Task):
    """Read from the distribution's Parquet file, else from the official results' template."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the samples; a template has three questions in each video's record."""
        return [
            _sample(video, question)
            for video in read_rows(any_file(self, root, FILES))
            for question in (video.records("questions") if "questions" in video.table else [video])
        ]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, VIDEO_FOLDERS, SUFFIXES)

    def subtitles(self, root: Path, sample: Sample) -> Sequence[Cue]:
        """Return what is in subtitle/<video>.srt; 156 of the videos have none."""
        path = self.folder(root) / "subtitle" / f"{sample.video}.srt"
        return read_subtitles(path) if path.is_file() else ()


def _sample(video: AnnotationRecord, question: AnnotationRecord) -> Sample:
    return Sample(
        id=question.text("question_id"),
        video=video.text("videoID" if "videoID" in video.table else "video_id"),
        query=question.text("question"),
        target=Target(choice=question.text("answer")),
        options=unlabelled(question.texts("options"), "{letter}. "),
        groups=_groups(video, question),
        asks=OutputType.CHOICE,
    )


def _groups(video: AnnotationRecord, question: AnnotationRecord) -> tuple[Group, ...]:
    """Return the groups: the official script reports each grouping over all and by duration."""
    duration = video.text("duration")
    groups = [Group("duration", duration)]
    for grouping, key in GROUPINGS:
        name = (video if key in video.table else question).text(key)
        groups += [Group(grouping, name), Group(f"{duration}: {grouping}", name)]
    return tuple(groups)


TASK = VideoMME()
