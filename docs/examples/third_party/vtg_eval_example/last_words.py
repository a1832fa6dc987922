"""An adapter without a network: `--model last-words:10` answers the last 10 seconds."""

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames


class LastWordsAdapter(Adapter):
    needs_frames = False

    def __init__(self, checkpoint: Checkpoint) -> None:
        if not checkpoint.argument.isdecimal():
            raise UserError("last-words needs a number of seconds, as in last-words:10.")
        self.seconds = int(checkpoint.argument)

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        return height, width

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        if sample.duration is None:  # an error costs this sample only, not the run
            raise ValueError("no duration")
        start = max(0.0, sample.duration - self.seconds)
        return Request(sample.id, prompt="", answer=f"{start} - {sample.duration}")
