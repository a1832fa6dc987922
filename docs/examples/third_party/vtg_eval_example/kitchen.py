"""A task: reads its records and turns each into a sample."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from vtg_eval.errors import DataError
from vtg_eval.task import Task, load_card
from vtg_eval.types import Sample, Span, Target

RECORDS = Path(__file__).with_suffix(".csv")


class Kitchen(Task):
    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        with RECORDS.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            return [self._sample(row, reader.line_num) for row in reader]

    def video_path(self, root: Path, video: str) -> Path:
        return self.folder(root) / f"{video}.mp4"

    def _sample(self, row: Mapping[str, str], line: int) -> Sample:
        try:
            span = Span(float(row["start"]), float(row["end"]))
            return Sample(
                id=f"{row['video']}/{line}",
                video=row["video"],
                query=row["query"],
                target=Target(spans=(span,)),
                duration=float(row["duration"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise DataError(f"{RECORDS.name}, line {line}: {exc!r}") from exc


TASK = Kitchen()
