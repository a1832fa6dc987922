"""Tiny random checkpoints of the real architectures, with the chat templates of their families."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)
from vtg_eval.training.nano.model import build_tokenizer

VOCABULARY = 384

# The structure of Qwen2.5-VL's template: adds a system message if there is none.
QWEN2_5_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The structure of Qwen3-VL's template: adds no system message.
QWEN3_TEMPLATE = (
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\n' }}"
    "{%- if messages[0].content is string %}{{- messages[0].content }}{%- else %}"
    "{%- for content in messages[0].content %}{%- if 'text' in content %}"
    "{{- content.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}"
    "{{- '<|im_start|>' + message.role + '\n' }}{%- if message.content is string %}"
    "{{- message.content }}{%- else %}{%- for content in message.content %}"
    "{%- if content.type == 'image' or 'image' in content %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif content.type == 'video' or 'video' in content %}"
    "{{- '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{%- elif 'text' in content %}{{- content.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{{- '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
NORM = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def tiny_qwen2_5_vl(folder: Path) -> Path:
    """Write a random Qwen2.5-VL (28 px a token, 2 positions a second)."""
    tokenizer = tiny_tokenizer()
    config = Qwen2_5_VLConfig(
        text_config={
            **text_settings(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [8, 4, 4],
            },
        },
        vision_config={
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
            "tokens_per_second": 2,
        },
        **special_token_ids(tokenizer),
    )
    grid: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid, **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**grid, **NORM),
        chat_template=QWEN2_5_TEMPLATE,
    )
    torch.manual_seed(0)
    return save_checkpoint(Qwen2_5_VLForConditionalGeneration(config), processor, folder)


def tiny_qwen3_vl(folder: Path) -> Path:
    """Write a random Qwen3-VL (32 px a token, time stamps as text)."""
    tokenizer = tiny_tokenizer()
    config = Qwen3VLConfig(**qwen3_vl_settings(tokenizer))
    processor = qwen3_vl_processor(tokenizer, QWEN3_TEMPLATE)
    torch.manual_seed(0)
    return save_checkpoint(Qwen3VLForConditionalGeneration(config), processor, folder)


def qwen3_vl_settings(tokenizer: PreTrainedTokenizerFast, **text: Any) -> dict[str, Any]:
    """Return the settings of a tiny Qwen3-VL; text: further ones of its language model."""
    return {
        "text_config": {
            **text_settings(tokenizer),
            "head_dim": 32,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            **text,
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
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **special_token_ids(tokenizer),
    }


def qwen3_vl_processor(tokenizer: PreTrainedTokenizerFast, template: str) -> Qwen3VLProcessor:
    """Return the processor of Qwen3-VL and Qwen3.5."""
    grid: dict[str, Any] = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid, **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**grid, **NORM),
        chat_template=template,
    )


def text_settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of a tiny language model that go with the tokenizer."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def special_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of config.json that name Qwen-VL's special tokens."""
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    keys = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    ids = [tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names]
    return {**dict(zip(keys, ids, strict=True)), "tie_word_embeddings": False}


def tiny_tokenizer(*words: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with Qwen-VL's special tokens; words: further tokens, not special."""
    corpus = ["when does this happen in the video: the red square moves <1.5 seconds>\n"] * 4
    return build_tokenizer(corpus, words, VOCABULARY - len(words))


def special_tokenizer(named: Mapping[str, str], *tokens: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with further special tokens; those in `named` are its attributes, too."""
    names = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", **named}
    return PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer().backend_tokenizer,
        extra_special_tokens=list(tokens),
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
        **names,
    )


def save_checkpoint(model: Any, processor: Any, folder: Path) -> Path:
    """Write model and processor into the folder, with larger weights; returns the folder."""
    tokenizer = processor.tokenizer
    with torch.no_grad():  # larger logits, so that rounding does not change the argmax
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    # as in real checkpoints: settings that greedy decoding must ignore
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=20,
        repetition_penalty=1.05,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
