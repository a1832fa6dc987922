"""Tiny Qwen3-Omni: a whole checkpoint, with the talker and the codec that are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    Qwen3OmniMoeProcessor,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_omni import AUDIO, omni_processor, token_ids
from tests.tiny_families.qwen_vl import QWEN3_ROPE, QWEN3_TEMPLATE, QWEN3_VISION

TOKENS = {
    "image_token": "<|image_pad|>",
    "audio_token": "<|audio_pad|>",
    "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
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
    tokenizer = special_tokenizer(TOKENS)
    config = Qwen3OmniMoeConfig(
        thinker_config=thinker(tokenizer),
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
                "rope_parameters": QWEN3_ROPE,
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
    processor = omni_processor(Qwen3OmniMoeProcessor, tokenizer, 16, QWEN3_TEMPLATE)
    return write_checkpoint(Qwen3OmniMoeForConditionalGeneration, config, processor, folder)


def thinker(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of the part that is run."""
    return {
        "text_config": text_settings(
            tokenizer,
            vocab_size=ROWS,
            **EXPERTS,
            head_dim=32,
            norm_topk_prob=True,
            rope_parameters=QWEN3_ROPE,
        ),
        "vision_config": {
            **QWEN3_VISION,
            # in the published files, and read by vLLM
            "image_size": 64,
            "apply_vit_abs_pos_embed": True,
            "deepstack_visual_indexes": [0],
        },
        "audio_config": {**AUDIO, "downsample_hidden_size": 16},
        **token_ids(tokenizer, TOKENS, "id"),
        "position_id_per_seconds": 13,
    }


FAMILY = TinyFamily(build)
