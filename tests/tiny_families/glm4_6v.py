"""Tiny GLM-4.6V-Flash: GLM-4.1V's architecture with a processor that tells tenths of a second."""

from __future__ import annotations

from pathlib import Path

from transformers import Glm4vConfig, Glm4vForConditionalGeneration

from tests.tiny_families import glm
from tests.tiny_families.building import write_checkpoint
from tests.tiny_families.family import TinyFamily


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = glm.tokenizer()
    config = Glm4vConfig(**glm.settings(tokenizer))
    processor = glm.new_processor(tokenizer)
    return write_checkpoint(Glm4vForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
