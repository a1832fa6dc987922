"""Tiny Qwen3-Omni: a whole checkpoint, with the talker and the codec that are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    Qwen3OmniMoeProcessor,
    WhisperFeatureExtractor,
)

from tests.tiny_checkpoints import NORM, QWEN3_TEMPLATE
from tests.tiny_families.building import save, text_config, tokenizer
from tests.tiny_families.family import TinyFamily

TOKENS = {
    "image_token": "<|image_pad|>",
    "audio_token": "<|audio_pad|>",
    "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}
GRID: dict[str, Any] = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
ROPE = {
    "rope_type": "default",
    "rope_theta": 1e4,
    "mrope_section": [6, 5, 5],
    "mrope_interleaved": True,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SPEECH = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokens = tokenizer(TOKENS, "<|im_end|>")
    config = Qwen3OmniMoeConfig(
        thinker_config=thinker(tokens),
        talker_config={
            "thinker_hidden_size": 64,
            "spatial_merge_size": 2,
            "num_code_groups": 2,
            "text_config": {
                **SPEECH,
                **EXPERTS,
                "vocab_size": 64,
                "head_dim": 32,
                "shared_expert_intermediate_size": 32,
                "rope_parameters": ROPE,
            },
            "code_predictor_config": {
                **SPEECH,
                "vocab_size": 64,
                "head_dim": 32,
                "num_code_groups": 2,
            },
        },
        code2wav_config={**SPEECH, "codebook_size": 64, "decoder_dim": 64, "num_quantizers": 2},
    )
    torch.manual_seed(0)
    model = Qwen3OmniMoeForConditionalGeneration(config)
    return save(model, processor(tokens), folder)


def thinker(tokens: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of the part that is run."""
    ids = dict(zip(TOKENS, tokens.convert_tokens_to_ids(list(TOKENS.values())), strict=True))
    return {
        "text_config": {
            **text_config(tokens),
            **EXPERTS,
            "head_dim": 32,
            "norm_topk_prob": True,
            "rope_parameters": ROPE,
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_heads": 2,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 64,
            # in the published files, and read by vLLM
            "image_size": 64,
            "apply_vit_abs_pos_embed": True,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        "audio_config": {
            "num_mel_bins": 128,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "d_model": 64,
            "output_dim": 64,
            "downsample_hidden_size": 16,
        },
        "image_token_id": ids["image_token"],
        "video_token_id": ids["video_token"],
        "audio_token_id": ids["audio_token"],
        "vision_start_token_id": ids["vision_bos_token"],
        "vision_end_token_id": ids["vision_eos_token"],
        "audio_start_token_id": ids["audio_bos_token"],
        "audio_end_token_id": ids["audio_eos_token"],
        "position_id_per_seconds": 13,
    }


def processor(tokens: PreTrainedTokenizerFast) -> Qwen3OmniMoeProcessor:
    """Return the processor."""
    return Qwen3OmniMoeProcessor(
        image_processor=Qwen2VLImageProcessor(**GRID, **NORM),
        video_processor=Qwen2VLVideoProcessor(**GRID, **NORM),
        feature_extractor=WhisperFeatureExtractor(feature_size=128),
        tokenizer=tokens,
        chat_template=QWEN3_TEMPLATE,
    )


FAMILY = TinyFamily(build)
