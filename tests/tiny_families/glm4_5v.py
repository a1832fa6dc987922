"""Tiny GLM-4.5V: a mixture of experts with GLM-4.1V's processor."""

from __future__ import annotations

from pathlib import Path

from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration

from tests.tiny_families import glm
from tests.tiny_families.building import write_checkpoint
from tests.tiny_families.family import TinyFamily

EXPERTS = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "use_qk_norm": False,  # no setting of transformers; vLLM reads it from the checkpoint's file
}


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = glm.tokenizer()
    processor = glm.old_processor(tokenizer, glm.THINKING_TEMPLATE)
    settings = glm.settings(tokenizer)
    settings["text_config"] |= EXPERTS
    config = Glm4vMoeConfig(**settings)
    return write_checkpoint(Glm4vMoeForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
