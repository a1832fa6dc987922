"""Qwen3-VL: the time of each frame pair is text before it, `<12.5 seconds>`."""

from __future__ import annotations

from vtg_eval.model_input.smart_resize import PAIR
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule

from .qwen import END, START, VIDEO, QwenAdapter


class Qwen3VLAdapter(QwenAdapter):
    """Any checkpoint of the architecture Qwen3VLForConditionalGeneration.

    The released checkpoints were trained with stamps and frame pairs instead of the three tokens
    that the chat template writes. Processors of transformers before 5.10 replace all three; newer
    ones, and vLLM with them, replace the middle token only and leave a second pair of markers
    around the whole video.
    """

    patch_size = 16
    template_video = f"{START}{VIDEO}{END}"
    time_encoding = TimeEncoding(
        TimeRule.STAMPS,
        frames=PAIR,
        moment="mean",
        resolution=0.1,
        stamp=r"<(?P<seconds>\d+\.\d) seconds>",
    )
