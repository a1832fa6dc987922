"""LLaVA-NeXT-Video, a model family that vtg-eval itself does not serve.

Its processor tells no times, so vtg-eval tells them as text (`--time-text`, by default a header
before the question). Each frame is shown at one size and takes a fixed number of tokens.
"""

from typing import ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter


class LlavaNextVideoAdapter(FixedSizeAdapter):
    time_encoding = TimeEncoding(TimeRule.NOTHING)
    video = "<video>"  # what the chat template writes for a video
    video_arguments: ClassVar = {
        "do_sample_frames": False,
        "do_resize": False,
        "do_center_crop": False,
    }

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        side = int(self.setting("image_size", 336))
        pooled = side // int(self.setting("patch_size", 14)) // 2  # pooled by 2 x 2
        self.size = (side, side)
        self.tokens_per_frame = pooled * pooled
