"""Charades-STA: `VIDEO START END##sentence` lines, durations from the Charades CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vtg_eval.annotations.length_groups import VIDEO, length_bin, length_groups
from vtg_eval.annotations.sentence_lines import read_lengths, read_sentence_lines
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, Sample, Target

VIDEO_FOLDERS = ("videos", "Charades_v1_480", "Charades_v1")
MOMENT_BINS = (5.0, 10.0)
VIDEO_BINS = (25.0, 35.0)


class CharadesSTA(Task):
    """Charades-STA with its truth untouched: neither clamped to the video nor sorted."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples; durations are None without the CSV of durations."""
        durations = read_lengths(self.folder(root) / f"Charades_v1_{split}.csv")
        return [
            Sample(
                id=line.id,
                video=line.video,
                query=line.sentence,
                target=Target(spans=(line.span,)),
                duration=durations.get(line.video),
                groups=length_groups(
                    (line.span,), durations.get(line.video), MOMENT_BINS, VIDEO_BINS
                ),
            )
            for line in read_sentence_lines(self.file(root, f"charades_sta_{split}.txt"))
        ]

    def with_duration(self, sample: Sample, seconds: float) -> Sample:
        """Return the sample with that duration and the group of videos of that length."""
        group = Group(VIDEO, length_bin(seconds, VIDEO_BINS))
        return replace(sample, duration=seconds, groups=(*sample.groups, group))

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, VIDEO_FOLDERS)


TASK = CharadesSTA()
