"""Tiny InternVL 3.5: 56 px frames of 4 tokens, each after its number."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
)

from tests.tiny_families.building import NORM, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

SIDE, PATCH = 56, 14
TOKENS = (SIDE // PATCH // 2) ** 2
# The structure of the template of InternVL's checkpoints for transformers.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = special_tokenizer(
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        }
    )
    config = InternVLConfig(
        text_config=text_settings(tokenizer, model_type="qwen3", head_dim=32),
        vision_config={
            "num_hidden_layers": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_attention_heads": 2,
            "image_size": [SIDE, SIDE],
            "patch_size": [PATCH, PATCH],
            "attention_bias": True,
        },
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=TOKENS,
        tie_word_embeddings=False,
    )
    size = {"height": SIDE, "width": SIDE}
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size, crop_to_patches=True, **NORM),
        tokenizer=tokenizer,
        video_processor=InternVLVideoProcessor(size=size, **NORM),
        image_seq_length=TOKENS,
        chat_template=TEMPLATE,
    )
    return write_checkpoint(InternVLForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build, frame_tokens=("<IMG_CONTEXT>", "<video>"))
