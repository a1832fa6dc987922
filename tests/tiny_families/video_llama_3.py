"""VideoLLaMA3: 28 px a token, time stamps as text, tokens left out by their pixels."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    VideoLlama3Config,
    VideoLlama3ForConditionalGeneration,
    VideoLlama3ImageProcessor,
    VideoLlama3Processor,
    VideoLlama3VideoProcessor,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are VideoLLaMA3, a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'text' %}{{ content['text'] }}"
    "{% elif content['type'] == 'image' %}<|image_pad|>\n"
    "{% elif content['type'] == 'video' %}<|video_pad|>\n{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(folder: Path) -> Path:
    """Write a random VideoLLaMA3 into the folder."""
    tokens = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    words = special_tokenizer(tokens)
    config = VideoLlama3Config(
        text_config=text_settings(words, vocab_size=ROWS, model_type="qwen2"),
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 14,
        },
        image_token_id=words.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=words.convert_tokens_to_ids("<|video_pad|>"),
    )
    processor = VideoLlama3Processor(
        image_processor=VideoLlama3ImageProcessor(),
        tokenizer=words,
        video_processor=VideoLlama3VideoProcessor(),
        chat_template=TEMPLATE,
    )
    return write_checkpoint(VideoLlama3ForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build, no_vllm="vLLM 0.32 has no VideoLlama3ForConditionalGeneration")
