"""Durations that the annotation does not have, from the video files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from vtg_eval.errors import VideoError
from vtg_eval.run.paths import frames_folder
from vtg_eval.task import Task
from vtg_eval.types import OutputType, Sample, Span


def with_durations(task: Task, root: Path, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the samples with durations of their video files where the annotation has none.

    Only samples that ask for spans need one. Without a file that can be read it stays None.
    """
    unknown = {s.video for s in samples if s.duration is None and s.asks is not OutputType.CHOICE}
    lengths = video_lengths({video: task.video_path(root, video) for video in sorted(unknown)})
    return tuple(
        task.with_duration(s, shown_length(s.clips, lengths[s.video]))
        if s.duration is None and s.video in lengths
        else s
        for s in samples
    )


def video_lengths(paths: Mapping[str, Path]) -> dict[str, float]:
    """Return the length in seconds of each video whose file is there and can be read."""
    present = {video: path for video, path in paths.items() if path.is_file()}
    if not present:
        return {}
    # imported here: most commands read no video
    from vtg_eval.video.probe_cache import ProbeCache
    from vtg_eval.video.pyav import PyavDecoder

    cache = ProbeCache(frames_folder() / "probes", PyavDecoder())
    lengths = {}
    for video, path in tqdm(
        present.items(), "reading videos", unit="video", disable=None, leave=False, delay=1
    ):
        with suppress(VideoError):
            lengths[video] = cache.probe(path).duration
    return lengths


def shown_length(clips: Sequence[Span], length: float) -> float:
    """Return the length of the parts of a file that are shown, all of it without clips."""
    if not clips:
        return length
    return sum(max(min(clip.end, length) - clip.start, 0.0) for clip in clips)
