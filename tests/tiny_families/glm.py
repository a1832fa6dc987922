"""What the tiny GLM-V checkpoints share: tokenizer, chat template, processors, sizes."""

from __future__ import annotations

from typing import Any

from transformers import (
    Glm4vImageProcessor,
    Glm4vProcessor,
    Glm4vVideoProcessor,
    Glm46VImageProcessor,
    Glm46VProcessor,
    Glm46VVideoProcessor,
    PreTrainedTokenizerFast,
)

from tests.tiny_families.building import (
    NORM,
    grid,
    special_tokenizer,
    text_settings,
    vision_settings,
)

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
ROPE = {
    "rope_type": "default",
    "rope_theta": 1e4,
    "partial_rotary_factor": 0.5,
    "mrope_section": [2, 3, 3],
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with GLM-V's special tokens."""
    return special_tokenizer({"eos_token": "<|user|>"}, *ROLES, *TOKENS)


def settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the settings of config.json that all forms share."""
    numbers = tokenizer.convert_tokens_to_ids(list(TOKENS))
    return {
        "text_config": text_settings(tokenizer, head_dim=32, rope_parameters=ROPE),
        "vision_config": vision_settings(14, image_size=56),
        **{f"{name}_token_id": number for name, number in zip(MARKERS, numbers, strict=True)},
        "tie_word_embeddings": False,
    }


def old_processor(tokenizer: PreTrainedTokenizerFast, template: str) -> Glm4vProcessor:
    """Return the processor of GLM-4.1V and 4.5V."""
    return Glm4vProcessor(
        image_processor=Glm4vImageProcessor(**grid(14), **NORM),
        tokenizer=tokenizer,
        video_processor=Glm4vVideoProcessor(**grid(14), **NORM),
        chat_template=template,
    )


def new_processor(tokenizer: PreTrainedTokenizerFast) -> Glm46VProcessor:
    """Return the processor of GLM-4.6V."""
    return Glm46VProcessor(
        image_processor=Glm46VImageProcessor(**grid(14), **NORM),
        tokenizer=tokenizer,
        video_processor=Glm46VVideoProcessor(**grid(14), **NORM),
        chat_template=THINKING_TEMPLATE,
    )
