"""The spoken words that go with a question, where the protocol shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vtg_eval.annotations.subtitles import subtitle_text
from vtg_eval.protocol import PromptRule
from vtg_eval.task import Task
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames


def with_subtitles(
    task: Task, root: Path, sample: Sample, frames: Frames | None, rule: PromptRule
) -> Sample:
    """Return the sample with its subtitles as the rule wants them; unchanged where it wants none.

    Raises DataError for a file of subtitles that cannot be read.
    """
    if rule.subtitles == "none" or frames is None:
        return sample
    cues = task.subtitles(root, sample)
    return replace(sample, subtitles=subtitle_text(cues, frames.times.tolist(), rule.subtitles))
