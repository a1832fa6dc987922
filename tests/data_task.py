"""A small task on clock videos, for tests of what reads a task's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.task import Card, SourceFile, SplitMetadata, Task
from vtg_eval.types import Sample, Span, Target


class SmallTask(Task):
    """Samples given by hand; videos in videos/."""

    def __init__(
        self,
        samples: Sequence[Sample],
        files: tuple[SourceFile, ...] = (),
        facts: SplitMetadata | None = None,
    ) -> None:
        self._samples = samples
        own = SplitMetadata("test", len({s.video for s in samples}), len(samples))
        self.card = Card(
            name="small",
            title="small",
            version="1-A",
            paper="none",
            home="https://example.org/small",
            licence="none",
            metric_family="grounding",
            default_split="test",
            splits=(facts or own,),
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
    """Return a sample of the video before the slash in its id."""
    return Sample(name, name.split("/")[0], query, Target((Span(*span),)), duration)
