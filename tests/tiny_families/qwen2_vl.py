"""Tiny Qwen2-VL: 28 px a token, the template of Qwen2.5-VL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from tests.tiny_checkpoints import (
    NORM,
    QWEN2_5_TEMPLATE,
    save_checkpoint,
    special_token_ids,
    text_settings,
    tiny_tokenizer,
)
from tests.tiny_families.family import TinyFamily


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = tiny_tokenizer()
    config = Qwen2VLConfig(
        text_config={
            **text_settings(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [8, 4, 4],
            },
        },
        vision_config={
            "depth": 2,
            "embed_dim": 64,
            "hidden_size": 64,
            "mlp_ratio": 2,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        **special_token_ids(tokenizer),
    )
    grid: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid, **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**grid, **NORM),
        chat_template=QWEN2_5_TEMPLATE,
    )
    torch.manual_seed(0)
    return save_checkpoint(Qwen2VLForConditionalGeneration(config), processor, folder)


FAMILY = TinyFamily(build)
