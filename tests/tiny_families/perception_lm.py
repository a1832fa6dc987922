"""PerceptionLM: frames of 56 x 56 px, 4 tokens each, no times, a template that writes a start."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    PerceptionLMConfig,
    PerceptionLMForConditionalGeneration,
    PerceptionLMImageProcessor,
    PerceptionLMProcessor,
    PerceptionLMVideoProcessor,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

SIDE, PATCH = 56, 14
TEMPLATE = (
    "{{- bos_token }}{% for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<|image|>' }}"
    "{% elif item['type'] == 'video' %}{{ '<|video|>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}"
    "{{- '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
TOKENS = {
    "image_token": "<|image|>",
    "video_token": "<|video|>",
    "header_start_token": "<|start_header_id|>",
    "header_end_token": "<|end_header_id|>",
    "bos_token": "<|begin_of_text|>",
}


def build(folder: Path) -> Path:
    """Write a random PerceptionLM into the folder."""
    words = special_tokenizer({"eos_token": "<|eot_id|>", **TOKENS})
    config = PerceptionLMConfig(
        text_config=text_settings(
            words, vocab_size=ROWS, model_type="llama", bos_token_id=words.bos_token_id
        ),
        vision_config={
            "architecture": "vit_pe_core_tiny_patch16_384",
            "model_args": {
                "embed_dim": 64,
                "depth": 2,
                "num_heads": 2,
                "img_size": [SIDE, SIDE],
                "patch_size": PATCH,
                "global_pool": "",
                "use_post_transformer_norm": False,
                "ref_feat_shape": [SIDE // PATCH, SIDE // PATCH],
            },
            "do_pooling": False,
        },
        vision_use_cls_token=True,
        projector_pooling_ratio=2,
        image_token_id=words.convert_tokens_to_ids("<|image|>"),
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
    )
    size = {"height": SIDE, "width": SIDE}
    processor = PerceptionLMProcessor(
        video_processor=PerceptionLMVideoProcessor(size=size),
        image_processor=PerceptionLMImageProcessor(size=size, tile_size=SIDE),
        tokenizer=words,
        patch_size=PATCH,
        pooling_ratio=2,
        chat_template=TEMPLATE,
    )
    return write_checkpoint(PerceptionLMForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(
    build, no_vllm="vLLM 0.32 has no code of its own for it, and takes no videos then"
)
