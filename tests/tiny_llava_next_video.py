"""A tiny random LLaVA-NeXT-Video, the family of the example package's adapter."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextImageProcessor,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaNextVideoProcessor,
    LlavaNextVideoVideoProcessor,
    PreTrainedTokenizerFast,
)

from tests.tiny_families.building import VOCABULARY, tiny_tokenizer, write_checkpoint

SIDE, PATCH = 56, 7
TOWER, RELEASED_TOWER = "vision_tower.", "vision_tower.vision_model."
TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}<video>\n"
    "{% endfor %}{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ part['text'] }} {% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def tiny_llava_next_video(folder: Path) -> Path:
    """Write the checkpoint: frames of 56 x 56 px, 16 tokens each."""
    tokenizer: PreTrainedTokenizerFast = tiny_tokenizer()
    tokenizer.add_tokens(["<image>", "<video>"], special_tokens=True)
    image, video = tokenizer.convert_tokens_to_ids(["<image>", "<video>"])
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=32,
    )
    text = LlamaConfig(
        vocab_size=VOCABULARY + 16,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaNextVideoConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image,
        video_token_index=video,
        image_grid_pinpoints=[[SIDE, SIDE]],
        tie_word_embeddings=False,
    )
    size = {"shortest_edge": SIDE}
    crop = {"height": SIDE, "width": SIDE}
    processor = LlavaNextVideoProcessor(
        video_processor=LlavaNextVideoVideoProcessor(size=size, crop_size=crop),
        image_processor=LlavaNextImageProcessor(size=size, crop_size=crop),
        tokenizer=tokenizer,
        chat_template=TEMPLATE,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    write_checkpoint(LlavaNextVideoForConditionalGeneration, config, processor, folder)
    file = folder / "model.safetensors"
    # as in the released checkpoints, whose names vLLM knows
    weights = {name.replace(TOWER, RELEASED_TOWER): w for name, w in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    return folder
