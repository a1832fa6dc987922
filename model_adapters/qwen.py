"""What the Qwen-VL families share: placeholders, special tokens, processor arguments."""

from __future__ import annotations

from typing import ClassVar

from vtg_eval.model_input.video_adapter import SmartResizeAdapter

VIDEO, IMAGE = "<|video_pad|>", "<|image_pad|>"
START, END = "<|vision_start|>", "<|vision_end|>"


class QwenAdapter(SmartResizeAdapter):
    """A Qwen-VL checkpoint. Subclasses say how times reach the model."""

    video = VIDEO
    image = f"{START}{IMAGE}{END}"
    special_tokens: ClassVar[tuple[str, ...]] = ("<|im_start|>", "<|im_end|>", START, END, IMAGE)
    # frames arrive sampled and resized; neither engine's processor may do so again
    video_arguments: ClassVar = {
        "do_sample_frames": False,
        "do_resize": False,
        "cap_pixels_per_frame": False,
    }
