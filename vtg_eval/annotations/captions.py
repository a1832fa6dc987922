"""The layout that most grounding benchmarks share: {video: {duration, spans, sentences}}.

A task of that layout is its card and a few names:

    class ActivityNet(CaptionsTask):
        card = load_card(Path(__file__).with_suffix(".toml"))
        annotation = {"val_2": "val_2.json"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vtg_eval.annotations.length_groups import length_groups
from vtg_eval.annotations.records import AnnotationRecord, read_table
from vtg_eval.errors import DataError
from vtg_eval.task import Task, found_video
from vtg_eval.types import Sample, Span, Target


class CaptionsTask(Task):
    """A benchmark of captioned moments; the truth is neither clamped nor sorted.

    annotation: each split's file. The keys of a video's record: `duration_key` (seconds),
    `spans_key` (a list of [start, end]), `queries_key` (as many sentences). `video_folders` and
    `suffixes`: where a video's file may be.
    """

    annotation: Mapping[str, str]
    duration_key = "duration"
    spans_key = "timestamps"
    queries_key = "sentences"
    video_folders: Sequence[str] = ("videos",)
    suffixes: Sequence[str] = (".mp4",)
    moment_bounds = (5.0, 20.0)
    video_bounds = (60.0, 180.0)

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples, ids <video>/<k> in file order."""
        table = read_table(self.file(root, self.annotation[split]))
        return [sample for video, row in table.items() for sample in self._video(video, row)]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, self.video_folders, self.suffixes)

    def duration(self, record: AnnotationRecord) -> float | None:
        """Return a video's length in seconds."""
        return record.duration(self.duration_key)

    def seconds(self, record: AnnotationRecord, span: Span) -> Span:
        """Return a span of the file in seconds (a benchmark may count frames)."""
        return span

    def query(self, sentence: str) -> str:
        """Return the query of a sentence."""
        return sentence.strip()

    def _video(self, video: str, record: AnnotationRecord) -> list[Sample]:
        spans, sentences = record.spans(self.spans_key), record.texts(self.queries_key)
        if len(spans) != len(sentences):
            raise DataError(
                f"{record.where}: {len(spans)} {self.spans_key}, but {len(sentences)} "
                f"{self.queries_key}."
            )
        duration = self.duration(record)
        samples = []
        for k, (span, sentence) in enumerate(zip(spans, sentences, strict=True)):
            truth = (self.seconds(record, span),)
            samples.append(
                Sample(
                    id=f"{video}/{k}",
                    video=video,
                    query=self.query(sentence),
                    target=Target(spans=truth),
                    duration=duration,
                    groups=length_groups(truth, duration, self.moment_bounds, self.video_bounds),
                )
            )
        return samples
