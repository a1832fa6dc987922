"""An adapter without a network: `--model last-words:10` answers the last 10 seconds."""

from vtg_eval.adapter import Adapter
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError


class LastWordsAdapter(Adapter):
    needs_frames = False

    def __init__(self, checkpoint):
        if not checkpoint.argument.isdecimal():
            raise UserError("last-words needs a number of seconds, as in last-words:10.")
        self.seconds = int(checkpoint.argument)

    def frame_size(self, height, width, frames, rule):
        return height, width

    def request(self, sample, frames, protocol):
        start = max(0.0, sample.duration - self.seconds)
        return Request(sample.id, prompt="", answer=f"{start} - {sample.duration}")
