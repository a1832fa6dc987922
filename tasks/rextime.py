"""ReXTime: what happens at one time explained by what happens at another, option and moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.annotations.length_groups import length_groups
from vtg_eval.annotations.multiple_choice import right_letter
from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Target

RELEASED, EVALUATED = "rextime_val.json", "rextime_val.jsonl"
FOLDERS = ("videos", "Anet_videos_15fps_short256")
SUFFIXES = (".mp4", ".mkv", ".webm")


class ReXTime(Task):
    """The validation split, from the released file with options, else from the file without."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return one sample for each question; without options where the file has none."""
        released = self.folder(root) / RELEASED
        if released.is_file():
            return [_sample(record) for record in read_list(released)]
        return [_sample(record) for record in read_lines(self.file(root, EVALUATED))]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, FOLDERS, SUFFIXES)


def _sample(record: AnnotationRecord) -> Sample:
    table = record.table
    name = record.text("qid")
    spans = record.spans("relevant_windows") if "span" not in table else (record.span("span"),)
    options = record.texts("options") if "options" in table else ()
    duration = record.duration("duration")
    groups = [Group("source", name.partition("_")[0])]
    if "category" in table:
        groups.append(Group("category", record.text("category")))
    return Sample(
        id=name,
        video=record.text("vid"),
        query=record.text("query" if "query" in table else "question").strip(),
        target=Target(spans, right_letter(record, "ans", options)),
        duration=duration,
        options=options,
        groups=(*groups, *length_groups(spans, duration, (10.0, 30.0), (60.0, 180.0))),
        asks=OutputType.BOTH,
    )


TASK = ReXTime()
