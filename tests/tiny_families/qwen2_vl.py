"""Tiny Qwen2-VL: 28 px a token, the template of Qwen2.5-VL."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from tests.tiny_families.building import (
    NORM,
    grid,
    text_settings,
    tiny_tokenizer,
    vision_settings,
    write_checkpoint,
)
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import QWEN2_5_TEMPLATE, QWEN2_ROPE, special_token_ids


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = tiny_tokenizer()
    config = Qwen2VLConfig(
        text_config=text_settings(tokenizer, rope_parameters=QWEN2_ROPE),
        vision_config=vision_settings(14, embed_dim=64, mlp_ratio=2),
        **special_token_ids(tokenizer),
    )
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid(14), **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**grid(14), **NORM),
        chat_template=QWEN2_5_TEMPLATE,
    )
    return write_checkpoint(Qwen2VLForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
