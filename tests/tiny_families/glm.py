"""What the tiny GLM-V checkpoints share: tokenizer, chat template, processors, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Glm4vImageProcessor,
    Glm4vProcessor,
    Glm4vVideoProcessor,
    Glm46VImageProcessor,
    Glm46VProcessor,
    Glm46VVideoProcessor,
    PreTrainedTokenizerFast,
)

from tests.tiny_checkpoints import NORM, save_checkpoint, special_tokenizer, text_settings

MARKERS = ("image_start", "image_end", "video_start", "video_end", "image", "video")
TOKENS = (
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    "<|image|>",
    "<|video|>",
)
ROLES = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>")
# The structure of GLM-4.1V's template.
TEMPLATE = (
    "[gMASK]<sop>{% for msg in messages %}{% if msg.role == 'system' %}<|system|>\n"
    "{{ msg.content if msg.content is string else msg.content[0].text }}"
    "{% elif msg.role == 'user' %}<|user|>\n"
    "{% if msg.content is string %}{{ msg.content }}{% else %}{% for item in msg.content %}"
    "{% if item.type == 'video' or 'video' in item %}"
    "<|begin_of_video|><|video|><|end_of_video|>"
    "{% elif item.type == 'image' or 'image' in item %}"
    "<|begin_of_image|><|image|><|end_of_image|>"
    "{% elif item.type == 'text' %}{{ item.text }}{% endif %}{% endfor %}{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
# That of GLM-4.5V and 4.6V also has a switch for thinking.
THINKING_TEMPLATE = TEMPLATE.replace(
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    "{% if enable_thinking is defined and not enable_thinking %}/nothink{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and not enable_thinking %}\n<think></think>{% endif %}\n"
    "{% endif %}",
)
GRID: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with GLM-V's special tokens."""
    return special_tokenizer({"eos_token": "<|user|>"}, *ROLES, *TOKENS)


def settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of config.json that all forms share."""
    numbers = tokenizer.convert_tokens_to_ids(list(TOKENS))
    return {
        "text_config": {
            **text_settings(tokenizer),
            "head_dim": 32,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "partial_rotary_factor": 0.5,
                "mrope_section": [2, 3, 3],
            },
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_heads": 2,
            "image_size": 56,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 64,
        },
        **{f"{name}_token_id": number for name, number in zip(MARKERS, numbers, strict=True)},
        "tie_word_embeddings": False,
    }


def old_processor(tokenizer: PreTrainedTokenizerFast, template: str) -> Glm4vProcessor:
    """Return the processor of GLM-4.1V and 4.5V."""
    return Glm4vProcessor(
        image_processor=Glm4vImageProcessor(**GRID, **NORM),
        tokenizer=tokenizer,
        video_processor=Glm4vVideoProcessor(**GRID, **NORM),
        chat_template=template,
    )


def new_processor(tokenizer: PreTrainedTokenizerFast) -> Glm46VProcessor:
    """Return the processor of GLM-4.6V."""
    return Glm46VProcessor(
        image_processor=Glm46VImageProcessor(**GRID, **NORM),
        tokenizer=tokenizer,
        video_processor=Glm46VVideoProcessor(**GRID, **NORM),
        chat_template=THINKING_TEMPLATE,
    )


def save(model: type[Any], config: Any, processor: Any, folder: Path) -> Path:
    """Write a random model of a configuration and its processor."""
    torch.manual_seed(0)
    return save_checkpoint(model(config), processor, folder)
