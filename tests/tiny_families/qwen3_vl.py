"""Tiny Qwen3-VL: 32 px a token, time stamps as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tests.tiny_families.building import tiny_tokenizer, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import QWEN3_TEMPLATE, qwen3_vl_processor, qwen3_vl_settings

NO_SETTINGS: Mapping[str, Any] = {}


def build(
    folder: Path, text: Mapping[str, Any] = NO_SETTINGS, vision: Mapping[str, Any] = NO_SETTINGS
) -> Path:
    """Write the checkpoint; text, vision: further settings of its two parts."""
    tokenizer = tiny_tokenizer()
    settings = qwen3_vl_settings(tokenizer, **text)
    settings["vision_config"] |= vision
    config = Qwen3VLConfig(**settings)
    processor = qwen3_vl_processor(tokenizer, QWEN3_TEMPLATE)
    return write_checkpoint(Qwen3VLForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
