"""Tiny Qwen3.5 MoE: as the dense form, with routed experts and a shared one."""

from __future__ import annotations

from pathlib import Path

from transformers import Qwen3_5MoeConfig, Qwen3_5MoeForConditionalGeneration

from tests.tiny_families.building import tiny_tokenizer, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen3_5 import TEMPLATE, settings
from tests.tiny_families.qwen_vl import qwen3_vl_processor


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = tiny_tokenizer("<think>", "</think>")
    experts = {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32,
    }
    config = Qwen3_5MoeConfig(**settings(tokenizer, **experts))
    processor = qwen3_vl_processor(tokenizer, TEMPLATE)
    return write_checkpoint(Qwen3_5MoeForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build, in_bfloat16=True)
