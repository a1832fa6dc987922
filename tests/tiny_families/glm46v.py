"""Tiny GLM-4.6V in transformers' architecture of that name, which vLLM has no model of."""

from __future__ import annotations

from pathlib import Path

from transformers import Glm46VConfig, Glm46VForConditionalGeneration

from tests.tiny_families import glm
from tests.tiny_families.building import write_checkpoint
from tests.tiny_families.family import TinyFamily


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = glm.tokenizer()
    config = Glm46VConfig(**glm.settings(tokenizer))
    processor = glm.new_processor(tokenizer)
    return write_checkpoint(Glm46VForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build, vllm_alone=True)
