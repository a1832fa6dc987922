"""A small task on clock videos, for tests of modules that read a task's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.grounding_case import CARD
from vtg_eval.task import SourceFile, SplitMetadata, Task
from vtg_eval.types import Sample, Span, Target


class SmallTask(Task):
    """A task with the samples of its constructor; videos in videos/."""

    def __init__(
        self,
        samples: Sequence[Sample],
        files: tuple[SourceFile, ...] = (),
        metadata: SplitMetadata | None = None,
    ) -> None:
        self._samples = samples
        counted = SplitMetadata("test", len({s.video for s in samples}), len(samples))
        self.card = replace(
            CARD,
            name="small",
            title="small",
            home="https://example.org/small",
            splits=(metadata or counted,),
            sample_ids="<video>/<k>",
            videos="videos/<video>.mp4",
            files=files,
        )

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        for source in self.card.files:
            self.file(root, source.path)
        return self._samples

    def video_path(self, root: Path, video: str) -> Path:
        return self.folder(root) / "videos" / f"{video}.mp4"


def sample(
    name: str, span: tuple[float, float], duration: float | None = 2.0, query: str = "it happens"
) -> Sample:
    """Return a sample; the part of `name` before the slash is its video."""
    return Sample(name, name.split("/")[0], query, Target((Span(*span),)), duration)
