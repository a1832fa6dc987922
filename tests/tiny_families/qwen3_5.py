"""Tiny Qwen3.5: a layer of linear attention, then one of full attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
)

from tests.tiny_families.building import tiny_tokenizer, write_checkpoint
from tests.tiny_families.family import TinyFamily
from tests.tiny_families.qwen_vl import LINEAR_ATTENTION, qwen3_vl_processor, qwen3_vl_settings

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
    table = qwen3_vl_settings(tokenizer, **LINEAR_ATTENTION, **text)
    del table["vision_config"]["deepstack_visual_indexes"]
    return table


def build(folder: Path) -> Path:
    """Write the dense form."""
    tokenizer = tiny_tokenizer("<think>", "</think>")
    config = Qwen3_5Config(**settings(tokenizer))
    processor = qwen3_vl_processor(tokenizer, TEMPLATE)
    return write_checkpoint(Qwen3_5ForConditionalGeneration, config, processor, folder, SEED)


FAMILY = TinyFamily(build, in_bfloat16=True)
