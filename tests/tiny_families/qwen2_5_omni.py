"""Tiny Qwen2.5-Omni: a whole checkpoint, with the talker and the codec that are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2_5OmniProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)

from tests.tiny_checkpoints import NORM, QWEN2_5_TEMPLATE
from tests.tiny_families.building import save, text_config, tokenizer
from tests.tiny_families.family import TinyFamily

TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
TEMPLATE = (
    QWEN2_5_TEMPLATE.replace("<|image_pad|>", "<|IMAGE|>")
    .replace("<|video_pad|>", "<|VIDEO|>")
    .replace("<|vision_start|>", "<|vision_bos|>")
    .replace("<|vision_end|>", "<|vision_eos|>")
)
AUDIO = {
    "num_mel_bins": 128,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "d_model": 64,
    "output_dim": 64,
}
GRID: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 4, 4]}


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokens = tokenizer(TOKENS, "<|im_end|>")
    config = Qwen2_5OmniConfig(
        thinker_config=thinker(tokens),
        talker_config={
            "vocab_size": 64,
            "embedding_size": 64,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "rope_parameters": ROPE,
        },
        token2wav_config={
            "dit_config": {
                "hidden_size": 64,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "head_dim": 32,
                "emb_dim": 64,
                "num_embeds": 64,
                "look_ahead_layers": [0],
                "look_backward_layers": [0],
                "enc_dim": 16,
                "enc_emb_dim": 16,
                "enc_channels": [16, 16, 16, 16, 48],
                "enc_attention_channels": 8,
                "enc_se_channels": 8,
            },
            "bigvgan_config": {"upsample_initial_channel": 64},
        },
    )
    torch.manual_seed(0)
    model = Qwen2_5OmniForConditionalGeneration(config)
    return save(model, processor(tokens), folder)


def thinker(tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of the part that is run."""
    ids = dict(zip(TOKENS, tokens.convert_tokens_to_ids(list(TOKENS.values())), strict=True))
    return {
        "text_config": {**text_config(tokens), "rope_parameters": ROPE},
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 64,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 25,
        },
        "audio_config": AUDIO,
        "image_token_index": ids["image_token"],
        "video_token_index": ids["video_token"],
        "audio_token_index": ids["audio_token"],
        "vision_start_token_id": ids["vision_bos_token"],
        "vision_end_token_id": ids["vision_eos_token"],
        "audio_start_token_id": ids["audio_bos_token"],
        "audio_end_token_id": ids["audio_eos_token"],
        "position_id_per_seconds": 25,
    }


def processor(tokens: PreTrainedTokenizerFast) -> Qwen2_5OmniProcessor:
    """Return the processor."""
    return Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(**GRID, **NORM),
        video_processor=Qwen2VLVideoProcessor(**GRID, **NORM),
        feature_extractor=WhisperFeatureExtractor(feature_size=128),
        tokenizer=tokens,
        chat_template=TEMPLATE,
    )


FAMILY = TinyFamily(build)
