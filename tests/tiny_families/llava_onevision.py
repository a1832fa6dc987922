"""Tiny LLaVA-OneVision: 56 px frames of 4 tokens, and one token at the video's end."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
)

from tests.tiny_families.building import NORM, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

SIDE, PATCH = 56, 14
TILES = [[SIDE, SIDE], [SIDE, 2 * SIDE]]
# The structure of the template of LLaVA-OneVision's checkpoints for transformers.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}"
    "{{ '<video>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ '\n' + content['text'] }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build(folder: Path) -> Path:
    """Write the checkpoint."""
    tokenizer = special_tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = LlavaOnevisionConfig(
        text_config=text_settings(tokenizer, model_type="qwen2"),
        vision_config={
            "model_type": "siglip_vision_model",
            "num_hidden_layers": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "vision_use_head": False,
        },
        image_token_index=tokenizer.image_token_id,
        video_token_index=tokenizer.video_token_id,
        image_grid_pinpoints=TILES,
        tie_word_embeddings=False,
    )
    size = {"height": SIDE, "width": SIDE}
    processor = LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=TILES, **NORM),
        tokenizer=tokenizer,
        video_processor=LlavaOnevisionVideoProcessor(size=size, **NORM),
        num_image_tokens=(SIDE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
    )
    write_checkpoint(LlavaOnevisionForConditionalGeneration, config, processor, folder)
    _rename_as_published(folder / "model.safetensors")
    return folder


def _rename_as_published(file: Path) -> None:
    """Give the weights the published checkpoints' names; vLLM does not take those of today."""
    weights = {
        name.replace("vision_tower.", "vision_tower.vision_model."): weight
        for name, weight in load_file(file).items()
    }
    save_file(weights, file, {"format": "pt"})


FAMILY = TinyFamily(build)
