"""MLVU: questions with options on videos of minutes to hours, by kind of task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.length_groups import length_groups
from vtg_eval.annotations.multiple_choice import any_file, matching_letter, read_rows, split_options
from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Target

# in the order of the official script
DEV_FILES = MappingProxyType(
    {
        "count": "4_count",
        "ego": "3_ego",
        "needle": "2_needle",
        "order": "5_order",
        "plotQA": "1_plotQA",
        "anomaly_reco": "6_anomaly_reco",
        "topic_reasoning": "7_topic_reasoning",
    }
)
TEST_FILES = ("mlvu_test.parquet", "mlvu_test.json", "mlvu_test.jsonl")
VIDEO_FOLDERS = ("videos", "video", *(f"video/{stem}" for stem in DEV_FILES.values()))
VIDEO_BOUNDS = (600.0, 1800.0)


class MLVU(Task):
    """The multiple-choice part. A truth that is no option has no letter: counted, never right."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples: dev in the order of the official script."""
        if split == "test":
            return _test_samples(read_rows(any_file(self, root, TEST_FILES)))
        return [
            _dev_sample(kind, number, row)
            for kind, stem in DEV_FILES.items()
            for number, row in enumerate(read_list(self.file(root, f"{stem}.json")))
        ]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, VIDEO_FOLDERS, ("",))


def _dev_sample(kind: str, number: int, row: AnnotationRecord) -> Sample:
    options = row.texts("candidates")
    return Sample(
        id=f"{kind}/{number}",
        video=row.text("video"),
        query=row.text("question"),
        target=Target(choice=matching_letter(row.text("answer"), options)),
        duration=row.duration("duration"),
        options=options,
        groups=_groups(kind, row),
        asks=OutputType.CHOICE,
    )


def _test_samples(rows: Sequence[AnnotationRecord]) -> list[Sample]:
    """Read the layout of lmms-eval's copy: options within the question, a letter as answer."""
    counts: Counter[str] = Counter()
    samples = []
    for row in rows:
        kind = row.text("task_type")
        query, options = split_options(row.text("question"))
        name = row.text("question_id") if "question_id" in row.table else f"{kind}/{counts[kind]}"
        samples.append(
            Sample(
                id=name,
                video=row.text("video_name"),
                query=query,
                target=Target(choice=row.text("answer")),
                duration=row.optional_duration("duration"),
                options=options or row.texts("candidates"),
                groups=_groups(kind, row),
                asks=OutputType.CHOICE,
            )
        )
        counts[kind] += 1
    return samples


def _groups(kind: str, row: AnnotationRecord) -> tuple[Group, ...]:
    lengths = length_groups((), row.optional_duration("duration"), (0.0, 0.0), VIDEO_BOUNDS)
    return (Group("task", kind), *lengths)


TASK = MLVU()
