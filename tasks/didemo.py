"""DiDeMo: the first thirty seconds of Flickr videos, moments in steps of five seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.annotations.length_groups import length_groups
from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.scoring.segment_ranks import CHUNK
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Sample, Span, Target

SHOWN = Span(0.0, 30.0)  # of longer videos the annotators saw only this part
MOMENT_BOUNDS = (10.0, 15.0)
VIDEO_BOUNDS = (25.0, 30.0)


class DiDeMo(Task):
    """Each annotator's segment is one span of the target, in the order of the file."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples; the id is the file's annotation_id."""
        return [_sample(record) for record in read_list(self.file(root, f"{split}_data.json"))]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, suffixes=(".mp4", ""))


def _sample(record: AnnotationRecord) -> Sample:
    duration = record.whole("num_segments") * CHUNK
    spans = tuple(Span(first * CHUNK, (last + 1) * CHUNK) for first, last in record.spans("times"))
    return Sample(
        id=record.text("annotation_id"),
        video=record.text("video"),
        query=record.text("description").strip(),
        target=Target(spans=spans),
        duration=duration,
        groups=length_groups(spans, duration, MOMENT_BOUNDS, VIDEO_BOUNDS),
        clips=(SHOWN,),
    )


TASK = DiDeMo()
