"""Tiny Qwen2.5-VL: 28 px a token, 2 positions a second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from tests.tiny_families.building import (
    NORM,
    grid,
    text_settings,
    tiny_tokenizer,
    write_checkpoint,
)
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import (
    QWEN2_5_TEMPLATE,
    QWEN2_5_VISION,
    QWEN2_ROPE,
    special_token_ids,
)

NO_SETTINGS: Mapping[str, Any] = {}


def build(
    folder: Path, text: Mapping[str, Any] = NO_SETTINGS, vision: Mapping[str, Any] = NO_SETTINGS
) -> Path:
    """Write the checkpoint; text, vision: further settings of its two parts."""
    tokenizer = tiny_tokenizer()
    config = Qwen2_5_VLConfig(
        text_config=text_settings(tokenizer, **{"rope_parameters": QWEN2_ROPE, **text}),
        vision_config={**QWEN2_5_VISION, "tokens_per_second": 2, **vision},
        **special_token_ids(tokenizer),
    )
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid(14), **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**grid(14), **NORM),
        chat_template=QWEN2_5_TEMPLATE,
    )
    return write_checkpoint(Qwen2_5_VLForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
