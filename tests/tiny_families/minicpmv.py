"""MiniCPM-V 4.6 and 4.7: 56 px a token, frames of about 112 x 112 px, no times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import MiniCPMV4_6ImageProcessor, MiniCPMV4_6VideoProcessor

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.qwen_vl import LINEAR_ATTENTION

# With these weights few tokens are nearly as likely as the one that is chosen, so that most answers
# in float32 and in bfloat16 are the same.
SEED = 2
SIDE = 112
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}<|image_pad|>\n"
    "{% elif item['type'] == 'video' %}<|video_pad|>\n"
    "{% elif item['type'] == 'text' %}{{ item['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>\n"
    "{% else %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "image_start_token": "<image>",
    "image_end_token": "</image>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
}
IDS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
}


def build_minicpmv(config: Any, model: Any, processor: Any, folder: Path, **ids: str) -> Path:
    """Write a random checkpoint of these three classes; ids: further tokens of config.json."""
    words = special_tokenizer(TOKENS)
    text = text_settings(
        words,
        vocab_size=ROWS,
        model_type="qwen3_5_text",
        head_dim=32,
        **LINEAR_ATTENTION,
    )
    settings = config(
        text_config=text,
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": 14,
        },
        insert_layer_id=0,
        image_size=SIDE,
        **{name: words.convert_tokens_to_ids(token) for name, token in {**IDS, **ids}.items()},
    )
    parts = processor(
        image_processor=MiniCPMV4_6ImageProcessor(scale_resolution=SIDE),
        video_processor=MiniCPMV4_6VideoProcessor(scale_resolution=SIDE),
        tokenizer=words,
        chat_template=TEMPLATE,
    )
    return write_checkpoint(model, settings, parts, folder, SEED)
