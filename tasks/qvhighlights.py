"""QVHighlights: several moments for each query, and how salient each of their clips is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.length_groups import MOMENT
from vtg_eval.annotations.records import AnnotationRecord, read_lines
from vtg_eval.errors import DataError
from vtg_eval.metrics.moment_map import LENGTH_RANGES
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, Sample, Span, Target

CLIP = 2  # seconds
ANNOTATORS = 3
MOST_SALIENT = 4
NAMES = MappingProxyType(
    {
        "short": "short, up to 10 s",
        "middle": "middle, up to 30 s",
        "long": "long, over 30 s",
    }
)


class QVHighlights(Task):
    """A query is in the group of every range of lengths in which it has a moment."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType(
        {
            "val": "highlight_val_release.jsonl",
            "test": "highlight_test_with_gt.jsonl",
            "train": "highlight_train_release.jsonl",
        }
    )

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples; the id is the file's qid."""
        return [_sample(record) for record in read_lines(self.file(root, self.annotation[split]))]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video)


def _sample(record: AnnotationRecord) -> Sample:
    spans = record.spans("relevant_windows")
    duration = record.duration("duration")
    return Sample(
        id=record.text("qid"),
        video=record.text("vid"),
        query=record.text("query").strip(),
        target=Target(spans=spans, saliency=_saliency(record, int(duration / CLIP))),
        duration=duration,
        groups=_groups(spans),
    )


def _groups(spans: Sequence[Span]) -> tuple[Group, ...]:
    lengths = [end - start for start, end in spans]
    ranges = ((name, LENGTH_RANGES[key]) for key, name in NAMES.items())
    names = [name for name, (low, high) in ranges if any(low < x <= high for x in lengths)]
    number = Group("number of moments", "one" if len(spans) == 1 else "several")
    return (*(Group(MOMENT, name) for name in names), number)


def _saliency(record: AnnotationRecord, clips: int) -> tuple[tuple[int, ...], ...]:
    """Return the annotators' scores of each clip, zeros for clips outside of the moments."""
    numbers = _integers(record, "relevant_clip_ids", record.values("relevant_clip_ids"), clips - 1)
    scores = record.values("saliency_scores")
    if len(set(numbers)) < len(numbers):
        raise DataError(f"{record.where}: relevant_clip_ids has a clip twice.")
    if len(scores) != len(numbers):
        raise DataError(
            f"{record.where}: {len(numbers)} relevant_clip_ids, but {len(scores)} saliency_scores."
        )
    rows: list[tuple[int, ...]] = [(0,) * ANNOTATORS] * clips
    for number, row in zip(numbers, scores, strict=True):
        rows[number] = _integers(record, "saliency_scores", row, MOST_SALIENT)
        if len(rows[number]) != ANNOTATORS:
            raise DataError(f"{record.where}: saliency_scores must have {ANNOTATORS} a clip.")
    return tuple(rows)


def _integers(record: AnnotationRecord, key: str, values: object, most: int) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or any(
        type(value) is not int or not 0 <= value <= most for value in values
    ):
        raise record.wrong(key, f"integers from 0 to {most}")
    return tuple(values)


TASK = QVHighlights()
