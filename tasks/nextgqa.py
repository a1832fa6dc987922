"""NExT-GQA: multiple-choice questions, each with the moments that show the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.multiple_choice import letter_of_text
from vtg_eval.annotations.records import AnnotationRecord, read_csv, read_object, read_table, shown
from vtg_eval.errors import DataError
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Target

OPTIONS = ("a0", "a1", "a2", "a3", "a4")
FOLDERS = ("videos", "NExTVideo")
PATHS = "map_vid_vidorID.json"
# what eval_next.py reports for each type of question
CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "CW": ("Why", "Acc_C"),
        "CH": ("How", "Acc_C"),
        "TN": ("Bef&Aft", "Acc_T"),
        "TP": ("Bef&Aft", "Acc_T"),
        "TC": ("When", "Acc_T"),
    }
)


class NextGQA(Task):
    """The questions of gsub_<split>.json, in its order, with their texts from <split>.csv."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return one sample for each question that has a location."""
        rows = _rows(self.file(root, f"{split}.csv"))
        videos = read_table(self.file(root, f"gsub_{split}.json"))
        return [s for video, record in videos.items() for s in _samples(video, record, rows)]

    def video_path(self, root: Path, video: str) -> Path:
        """Return <folder of VidOR>/<video>.mp4 or <video>.mp4 at the first usual path."""
        flat = found_video(self.folder(root), root, video, FOLDERS)
        if flat.is_file() or not (self.folder(root) / PATHS).is_file():
            return flat
        path = vidor_paths(self.folder(root) / PATHS).text(video)
        return found_video(self.folder(root), root, path, FOLDERS)


@cache
def vidor_paths(path: Path) -> AnnotationRecord:
    """Return the file's record: each video's path under its id, such as "0101/2909445186"."""
    return read_object(path)


def _rows(path: Path) -> dict[str, AnnotationRecord]:
    """Return the table of questions by <video_id>_<qid>."""
    rows: dict[str, AnnotationRecord] = {}
    for row in read_csv(path):
        name = f"{row.text('video_id')}_{row.text('qid')}"
        if name in rows:
            raise DataError(
                f"{row.where} has the question {shown(name)} again, after {rows[name].where}."
            )
        rows[name] = row
    return rows


def _samples(
    video: str, record: AnnotationRecord, rows: Mapping[str, AnnotationRecord]
) -> Iterator[Sample]:
    locations = record.record("location")
    for number in locations.table:
        name = f"{video}_{number}"
        if name not in rows:
            raise DataError(f"{record.where}: the table of questions has no {shown(name)}.")
        row = rows[name]
        kind = row.text("type")
        if kind not in CLASSES:
            raise DataError(
                f'{row.where}: "type" is "{shown(kind)}", not one of {", ".join(CLASSES)}.'
            )
        options = tuple(row.text(key) for key in OPTIONS)
        yield Sample(
            id=name,
            video=video,
            query=row.text("question").strip(),
            target=Target(locations.spans(number), letter_of_text(row, "answer", options)),
            duration=record.duration("duration"),
            options=options,
            groups=(
                Group("question type", kind),
                *(Group("question class", name) for name in CLASSES[kind]),
            ),
            asks=OutputType.BOTH,
        )


TASK = NextGQA()
