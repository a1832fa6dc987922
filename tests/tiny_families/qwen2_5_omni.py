"""Tiny Qwen2.5-Omni: a whole checkpoint, with the talker and the codec that are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2_5OmniProcessor,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_omni import AUDIO, omni_processor, token_ids
from tests.tiny_families.qwen_vl import QWEN2_5_TEMPLATE, QWEN2_5_VISION, QWEN2_ROPE

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


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = special_tokenizer(TOKENS)
    config = Qwen2_5OmniConfig(
        thinker_config=thinker(tokenizer),
        talker_config={
            "vocab_size": 64,
            "embedding_size": 64,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "rope_parameters": QWEN2_ROPE,
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
    processor = omni_processor(Qwen2_5OmniProcessor, tokenizer, 14, TEMPLATE)
    return write_checkpoint(Qwen2_5OmniForConditionalGeneration, config, processor, folder)


def thinker(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of the part that is run."""
    return {
        "text_config": text_settings(tokenizer, vocab_size=ROWS, rope_parameters=QWEN2_ROPE),
        "vision_config": {**QWEN2_5_VISION, "tokens_per_second": 25},
        "audio_config": AUDIO,
        **token_ids(tokenizer, TOKENS, "index"),
        "position_id_per_seconds": 25,
    }


FAMILY = TinyFamily(build)
