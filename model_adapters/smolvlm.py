"""SmolVLM2: the time of each frame is text before it, in whole seconds: `Frame from 01:23:`."""

from __future__ import annotations

from typing import ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.chat_template import ChatTemplate, Surroundings
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.video_adapter import FixedSizeAdapter
from vtg_eval.protocol import PromptRule


class SmolVLMAdapter(FixedSizeAdapter):
    """Any checkpoint of the architecture SmolVLMForConditionalGeneration.

    The processor also writes a sentence with the number of frames and the video's duration. A frame
    is a square of the vision model's size; images are not split.
    """

    video = "<video>"
    image = "<image>"
    special_tokens = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    image_arguments: ClassVar = {"do_resize": False, "do_image_splitting": False}
    time_encoding = TimeEncoding(
        TimeRule.STAMPS,
        resolution=1.0,
        rounding="down",
        stamp=r"Frame from (?P<minutes>\d{2,}):(?P<seconds>\d{2}):",
    )

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        side = int(self.setting("image_size", 224))
        patches = side // int(self.setting("patch_size", 32))
        self.size = (side, side)
        self.tokens_per_frame = int((patches / self.setting("scale_factor", 2, part="")) ** 2)

    def surroundings(self, chat: ChatTemplate, rule: PromptRule) -> Surroundings:
        """Return them with the video where transformers' processor puts it.

        Templates of the first checkpoints write nothing for a video.
        """
        around = chat.around(rule.system, "text-only")
        if rule.layout == "video-first":
            return around._replace(before=around.before + self.video)
        return around._replace(after=self.video + around.after)
