"""VideoLLaMA3: the time of each frame is text before it, `Time 12.5s:`."""

from __future__ import annotations

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import SmartResizeAdapter


class VideoLlama3Adapter(SmartResizeAdapter):
    """Any checkpoint of the architecture VideoLlama3ForConditionalGeneration.

    The processor leaves out tokens that hardly differ from those of the frame before. So how many
    a video has depends on its pixels. Frames that travel as images keep all tokens, four times as
    many for each pixel.
    """

    patch_size = 14
    shared_frames = 1
    video = "<|video_pad|>"
    image = "<|image_pad|>"
    special_tokens = ("<|im_start|>", "<|im_end|>")
    time_encoding = TimeEncoding(
        TimeRule.STAMPS, resolution=0.1, stamp=r"Time (?P<seconds>\d+\.\d)s:"
    )

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        if self.media == "images":  # only a video's patches are merged
            self.factor = int(self.setting("patch_size", self.patch_size))
