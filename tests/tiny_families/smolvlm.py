"""SmolVLM2: square frames of 4 tokens, time stamps in whole seconds, a template without videos."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

SIDE = 64
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
TOKENS = {
    "image_token": "<image>",
    "video_token": "<video>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}


def build(folder: Path) -> Path:
    """Write a random SmolVLM2 into the folder."""
    words = special_tokenizer({"eos_token": TOKENS["end_of_utterance_token"], **TOKENS})
    config = SmolVLMConfig(
        text_config=text_settings(words, vocab_size=ROWS, model_type="llama"),
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": 16,
        },
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.pad_token_id,
    )
    edge = {"longest_edge": SIDE}
    processor = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size=edge),
        tokenizer=words,
        video_processor=SmolVLMVideoProcessor(size=edge, max_image_size=edge),
        image_seq_len=4,
        chat_template=TEMPLATE,
    )
    return write_checkpoint(SmolVLMForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build, no_vllm="vLLM 0.32 reads images only with this family")
