"""Tiny Qwen3-VL: 32 px a token, time stamps as text."""

from __future__ import annotations

from pathlib import Path

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tests.tiny_families.building import tiny_tokenizer, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import QWEN3_TEMPLATE, qwen3_vl_processor, qwen3_vl_settings


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = tiny_tokenizer()
    config = Qwen3VLConfig(**qwen3_vl_settings(tokenizer))
    processor = qwen3_vl_processor(tokenizer, QWEN3_TEMPLATE)
    return write_checkpoint(Qwen3VLForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
