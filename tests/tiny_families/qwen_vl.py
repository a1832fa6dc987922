"""What the tiny Qwen-VL checkpoints share: templates, tokens, processors, sizes."""

from __future__ import annotations

from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tests.tiny_families.building import NORM, grid, text_settings, vision_settings

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
# The parts of the rotary embedding for time, height and width.
QWEN2_ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 4, 4]}
QWEN3_ROPE = {**QWEN2_ROPE, "mrope_section": [6, 5, 5], "mrope_interleaved": True}
# Qwen3.5's, and the two kinds of its layers.
LINEAR_ATTENTION = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 1,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "rope_parameters": {
        **QWEN3_ROPE,
        "partial_rotary_factor": 0.5,
        "mrope_section": [4, 2, 2],
    },
}
QWEN2_5_VISION = vision_settings(14, window_size=56, fullatt_block_indexes=[1])
QWEN3_VISION = vision_settings(16, num_position_embeddings=16)


def qwen3_vl_settings(tokenizer: PreTrainedTokenizerFast, **text: Any) -> dict[str, Any]:
    """Return the settings of a tiny Qwen3-VL; text: further ones of its language model."""
    return {
        "text_config": text_settings(
            tokenizer, **{"head_dim": 32, "rope_parameters": QWEN3_ROPE, **text}
        ),
        "vision_config": {**QWEN3_VISION, "deepstack_visual_indexes": [0]},
        **special_token_ids(tokenizer),
    }


def qwen3_vl_processor(tokenizer: PreTrainedTokenizerFast, template: str) -> Qwen3VLProcessor:
    """Return the processor of Qwen3-VL and Qwen3.5."""
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**grid(16), **NORM),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**grid(16), **NORM),
        chat_template=template,
    )


def special_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of config.json that name Qwen-VL's special tokens."""
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    keys = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    ids = [tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names]
    return {**dict(zip(keys, ids, strict=True)), "tie_word_embeddings": False}
