"""Gemma 4 without a vision model, patches projected; see also `tests.tiny_families.gemma4`."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    Gemma4UnifiedAudioFeatureExtractor,
    Gemma4UnifiedConfig,
    Gemma4UnifiedForConditionalGeneration,
    Gemma4UnifiedImageProcessor,
    Gemma4UnifiedProcessor,
    Gemma4UnifiedVideoProcessor,
)

from tests.tiny_families.building import write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.gemma4 import TEMPLATE, gemma_ids, gemma_text, gemma_tokenizer


def build(folder: Path) -> Path:
    """Write a random Gemma 4 of this kind into the folder."""
    words = gemma_tokenizer()
    config = Gemma4UnifiedConfig(
        text_config=gemma_text(words, use_bidirectional_attention=None),
        vision_config={
            "mm_embed_dim": 64,
            "mm_posemb_size": 128,
            "output_proj_dims": 64,
            "num_soft_tokens": 280,  # vLLM reads it
        },
        **gemma_ids(words),
    )
    processor = Gemma4UnifiedProcessor(
        feature_extractor=Gemma4UnifiedAudioFeatureExtractor(),
        image_processor=Gemma4UnifiedImageProcessor(),
        tokenizer=words,
        video_processor=Gemma4UnifiedVideoProcessor(),
        chat_template=TEMPLATE,
    )
    return write_checkpoint(Gemma4UnifiedForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
