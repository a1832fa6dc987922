"""TVGBench: moments of five sources, some of them in parts of longer videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from vtg_eval.annotations.length_groups import length_groups
from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.errors import DataError
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, Sample, Span, Target

ANSWER = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", re.ASCII)
MOMENT_BINS = (5.0, 20.0)
VIDEO_BINS = (60.0, 180.0)


class TVGBench(Task):
    """A sample whose video is a part of a file has it as its clip; times start there."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the samples, their ids <source file>_<number in the file>."""
        records = read_list(self.file(root, "tvgbench.json"))
        return [_sample(number, record) for number, record in enumerate(records)]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, ("videos", "tvgbench_data"), ("",))


def _sample(number: int, record: AnnotationRecord) -> Sample:
    truth, duration = (_truth(record),), record.duration("duration")
    groups = (Group("dataset", _dataset(record)), Group("query type", record.text("qsemtype")))
    return Sample(
        id=f"{_source(record)}_{number}",
        video=PurePosixPath(record.text("path")).name,
        query=record.text("question").strip(),
        target=Target(spans=truth),
        duration=duration,
        groups=groups + length_groups(truth, duration, MOMENT_BINS, VIDEO_BINS),
        clips=_clips(record),
    )


def _truth(record: AnnotationRecord) -> Span:
    """Return the answer, written "13.4-28.1"."""
    match = ANSWER.fullmatch(record.text("answer"))
    if match is None:
        answer = record.text("answer")[:60]
        raise DataError(f'{record.where}: "answer" must be like "13.4-28.1", not "{answer}".')
    return Span(float(match[1]), float(match[2]))


def _clips(record: AnnotationRecord) -> tuple[Span, ...]:
    """Return the part of the file that is shown; none means all of it."""
    start, end = record.optional_seconds("start"), record.optional_seconds("end")
    if start is None and end is None:
        return ()
    if start is None or end is None or not 0 <= start < end:
        raise DataError(f'{record.where}: "start" and "end" must be a part of the video.')
    return (Span(start, end),)


def _dataset(record: AnnotationRecord) -> str:
    """Return the source; the file names it twice, and for Ego4D only among its "bins"."""
    return record.record("bins").text("dataset")


def _source(record: AnnotationRecord) -> str:
    """Return the name of the file that the sample was taken from, as the official ids write it."""
    return PurePosixPath(record.text("source")).stem.replace(".", "_").replace("-", "_")


TASK = TVGBench()
