"""What the two tiny Qwen-Omni checkpoints share: tokens, the audio model, the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)

from tests.tiny_families.building import NORM, grid

AUDIO = {
    "num_mel_bins": 128,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "d_model": 64,
    "output_dim": 64,
}
# The settings of config.json that name a token, by the processor's name for it.
SETTINGS = {
    "vision_bos_token": "vision_start_token_id",
    "vision_eos_token": "vision_end_token_id",
    "audio_bos_token": "audio_start_token_id",
    "audio_eos_token": "audio_end_token_id",
}


def token_ids(
    tokenizer: PreTrainedTokenizerFast, tokens: Mapping[str, str], ending: str
) -> dict[str, int]:
    """Return the tokens' numbers; ending: of the names of images, videos and audio."""
    names = [SETTINGS.get(name, f"{name}_{ending}") for name in tokens]
    return dict(zip(names, tokenizer.convert_tokens_to_ids(list(tokens.values())), strict=True))


def omni_processor(
    processor_class: type[Any], tokenizer: PreTrainedTokenizerFast, patch_size: int, template: str
) -> Any:
    """Return a processor of the class."""
    return processor_class(
        image_processor=Qwen2VLImageProcessor(**grid(patch_size), **NORM),
        video_processor=Qwen2VLVideoProcessor(**grid(patch_size), **NORM),
        feature_extractor=WhisperFeatureExtractor(feature_size=128),
        tokenizer=tokenizer,
        chat_template=template,
    )
