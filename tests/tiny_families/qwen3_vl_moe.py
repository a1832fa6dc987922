"""Tiny Qwen3-VL MoE, with the template of the Thinking checkpoints: it always opens a thought."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

from tests.tiny_families.building import tiny_tokenizer, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import QWEN3_TEMPLATE, qwen3_vl_processor, qwen3_vl_settings

TEMPLATE = QWEN3_TEMPLATE.replace("assistant\n", "assistant\n<think>\n")


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = tiny_tokenizer("<think>", "</think>")
    experts = {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
    }
    config = Qwen3VLMoeConfig(**qwen3_vl_settings(tokenizer, **experts))
    processor = qwen3_vl_processor(tokenizer, TEMPLATE)
    write_checkpoint(Qwen3VLMoeForConditionalGeneration, config, processor, folder)
    _as_published(folder / "model.safetensors")
    return folder


def _as_published(file: Path) -> None:
    """Store the experts' matrices as the published checkpoints do: input by output.

    Files that transformers 5 writes have output by input, which vLLM 0.32 cannot load.
    """
    weights = load_file(file)
    for name in (name for name in weights if "experts." in name):
        weights[name] = weights[name].transpose(1, 2).contiguous()
    save_file(weights, file, {"format": "pt"})


FAMILY = TinyFamily(build)
