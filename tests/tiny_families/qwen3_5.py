"""Tiny Qwen3.5: a layer of linear attention, then one of full attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
)

from tests.tiny_checkpoints import (
    qwen3_vl_processor,
    qwen3_vl_settings,
    save_checkpoint,
    tiny_tokenizer,
)
from tests.tiny_families.family import TinyFamily

# With these weights few tokens are nearly as likely as the one that is chosen, so that most answers
# in float32 and in bfloat16 are the same.
SEED = 17
# The structure of Qwen3.5's template: contents by a macro, stripped; thinks unless told not to.
TEMPLATE = (
    "{%- macro render(content) %}{%- if content is string %}{{- content }}{%- else %}"
    "{%- for item in content %}{%- if 'image' in item or item.type == 'image' %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif 'video' in item or item.type == 'video' %}"
    "{{- '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{%- elif 'text' in item %}{{- item.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{%- endmacro %}"
    "{%- if not messages %}{{- raise_exception('No messages provided.') }}{%- endif %}"
    "{%- for message in messages %}{%- set content = render(message.content)|trim %}"
    "{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- else %}{{- '<think>\n' }}{%- endif %}{%- endif %}"
)


def settings(tokenizer: PreTrainedTokenizerFast, **text: Any) -> dict[str, Any]:
    """Return the settings of a tiny Qwen3.5; text: further ones of its language model."""
    table = qwen3_vl_settings(
        tokenizer,
        layer_types=["linear_attention", "full_attention"],
        linear_num_key_heads=1,
        linear_num_value_heads=2,
        linear_key_head_dim=64,
        linear_value_head_dim=64,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 1e4,
            "partial_rotary_factor": 0.5,
            "mrope_section": [4, 2, 2],
            "mrope_interleaved": True,
        },
        **text,
    )
    del table["vision_config"]["deepstack_visual_indexes"]
    return table


def build(folder: Path) -> Path:
    """Write the dense form."""
    tokenizer = tiny_tokenizer("<think>", "</think>")
    config = Qwen3_5Config(**settings(tokenizer))
    torch.manual_seed(SEED)
    model = Qwen3_5ForConditionalGeneration(config)
    return save_checkpoint(model, qwen3_vl_processor(tokenizer, TEMPLATE), folder)


FAMILY = TinyFamily(build, in_bfloat16=True)
