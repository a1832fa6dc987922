"""The answers of an earlier run as a model: `replay:RUN_FOLDER`."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.run.journal import read_journal
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames

JOURNAL_FILE = "journal.jsonl"


class ReplayAdapter(Adapter):
    """Returns for each sample its answer in that run."""

    needs_frames = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        folder = Path(checkpoint.argument).expanduser()
        records = read_journal(folder / JOURNAL_FILE)
        self._answers = {key: record.text for key, record in records.items() if record.answered}
        if not self._answers:
            raise UserError(f"{folder} holds no answers ({JOURNAL_FILE}); name a run's folder.")

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the size as it is; no frame is ever looked at."""
        return height, width

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the earlier answer; raises ValueError where that run has none for the sample."""
        if sample.id not in self._answers:
            raise ValueError("the replayed run has no answer to this sample")
        return Request(sample.id, prompt="", answer=self._answers[sample.id])
