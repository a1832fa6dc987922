"""Charades-STA: `VIDEO START END##sentence` lines, durations from the Charades CSV."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vtg_eval.errors import DataError
from vtg_eval.lengths import length_groups
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Sample, Span, Target

LINE = re.compile(r"(\w+) (\S+) (\S+?)##(.*)", re.ASCII)
VIDEO_FOLDERS = ("videos", "Charades_v1_480", "Charades_v1")
MOMENT_BINS = (5.0, 10.0)
VIDEO_BINS = (25.0, 35.0)


class CharadesSTA(Task):
    """Charades-STA with its truth untouched: neither clamped to the video nor sorted."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples; durations are None where the CSV of durations is not."""
        durations = _durations(self.folder(root) / f"Charades_v1_{split}.csv")
        seen: Counter[str] = Counter()
        samples = []
        for video, span, sentence in _records(self.file(root, f"charades_sta_{split}.txt")):
            samples.append(
                Sample(
                    id=f"{video}/{seen[video]}",
                    video=video,
                    query=sentence,
                    target=Target(spans=(span,)),
                    duration=durations.get(video),
                    groups=length_groups((span,), durations.get(video), MOMENT_BINS, VIDEO_BINS),
                )
            )
            seen[video] += 1
        return samples

    def video_path(self, root: Path, video: str) -> Path:
        """Return the video's place: the first of the usual folders that holds it, else `videos`."""
        return found_video(self.folder(root), root, video, VIDEO_FOLDERS)


def _records(path: Path) -> Iterator[tuple[str, Span, str]]:
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.decode("utf-8", errors="replace").strip()
            if not line:
                continue
            match = LINE.fullmatch(line)
            span = Span(_seconds(match[2]), _seconds(match[3])) if match else Span(math.nan, 0)
            if match is None or not all(map(math.isfinite, span)):
                raise DataError(
                    f"{path}, line {number}: expected `VIDEO START END##sentence` with times in "
                    f"seconds, found `{line[:60]}`."
                )
            yield match[1], span, match[4].strip()


def _seconds(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return math.nan


def _durations(path: Path) -> Mapping[str, float]:
    """Return each video's length in seconds, from the columns `id` and `length`."""
    if not path.is_file():
        return {}
    durations = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            length = _seconds(row.get("length") or "")
            if not row.get("id") or not length > 0 or math.isinf(length):
                raise DataError(
                    f"{path}, line {rows.line_num}: expected the columns `id` and `length` "
                    "(seconds)."
                )
            durations[row["id"]] = length
    return durations


TASK = CharadesSTA()
