"""What a sample shows of its video, as an edit list."""

from __future__ import annotations

from vtg_eval.types import Sample
from vtg_eval.video.edit_list import EditList, Part, cut


def shown_parts(sample: Sample) -> EditList:
    """Return what the sample shows, as long as its duration; empty without a duration.

    Its clips where it has some: reversed and empty ones, and those with NaN, show nothing.
    """
    if sample.duration is None:
        return ()
    if not sample.clips:
        return (Part(sample.video, 0.0, sample.duration),)
    clips = tuple(
        Part(sample.video, max(clip.start, 0.0), clip.end)
        for clip in sample.clips
        if max(clip.start, 0.0) < clip.end
    )
    return cut(clips, 0.0, sample.duration)
