"""PerceptionLM: the processor tells no times."""

from __future__ import annotations

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter

PATCH = 14  # px; config.json names it only as a part of the vision model's name


class PerceptionLMAdapter(FixedSizeAdapter):
    """Any checkpoint of the architecture PerceptionLMForConditionalGeneration.

    A frame is a square of the vision model's size. Images are not divided into tiles.
    """

    video = "<|video|>"
    image = "<|image|>"
    special_tokens = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    time_encoding = TimeEncoding(TimeRule.NOTHING)

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        side = int(self.setting("img_size", 448, part="vision_config.model_args"))
        pooled = int(self.setting("projector_pooling_ratio", 1, part=""))
        self.size = (side, side)
        self.tokens_per_frame = (side // PATCH // pooled) ** 2
