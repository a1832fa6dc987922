"""Gemma 4: up to 70 tokens a frame, time stamps in whole seconds, a template that writes <bos>."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers.processors import TemplateProcessing
from transformers import (
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessor,
    Gemma4Processor,
    Gemma4VideoProcessor,
    PreTrainedTokenizerFast,
)

from tests.tiny_families.building import ROWS, special_tokenizer, text_settings, write_checkpoint
from tests.tiny_families.family import TinyFamily

TEMPLATE = (
    "{{ bos_token }}{% if enable_thinking or messages[0]['role'] == 'system' %}"
    "{{ '<|turn>system\n' }}{% if enable_thinking %}{{ '<|think|>\n' }}{% endif %}"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}{% endif %}"
    "{{ '<turn|>\n' }}{% endif %}"
    "{% for message in messages if message['role'] != 'system' %}"
    "{{ '<|turn>' + message['role'] + '\n' }}{% for item in message['content'] %}"
    "{% if item['type'] == 'text' %}{{ item['text'] | trim }}"
    "{% elif item['type'] == 'image' %}{{ '\n\n<|image|>\n\n' }}"
    "{% elif item['type'] == 'video' %}{{ '\n\n<|video|>\n\n' }}{% endif %}{% endfor %}"
    "{{ '<turn|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\n' }}{% endif %}"
)
TOKENS = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
    "turn_token": "<|turn>",
    "think_token": "<|think|>",
    "video_token": "<|video|>",
    "bos_token": "<bos>",
}
IDS = {
    "image_token_id": "<|image|>",
    "video_token_id": "<|video|>",
    "audio_token_id": "<|audio|>",
    "boi_token_id": "<|image>",
    "eoi_token_id": "<image|>",
    "boa_token_id": "<|audio>",
    "eoa_token_index": "<audio|>",
}


def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that begins each text with <bos>."""
    words = special_tokenizer({"eos_token": "<turn|>", **TOKENS})
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", words.bos_token_id)]
    )
    return words


def gemma_text(words: PreTrainedTokenizerFast, **settings: Any) -> dict[str, Any]:
    """Return the settings of a text model with one sliding layer and one full."""
    return text_settings(
        words,
        vocab_size=ROWS,
        head_dim=32,
        global_head_dim=32,
        layer_types=["sliding_attention", "full_attention"],
        sliding_window=512,
        tie_word_embeddings=True,
        bos_token_id=words.bos_token_id,
        **settings,
    )


def gemma_ids(words: PreTrainedTokenizerFast) -> dict[str, int]:
    """Return the numbers of the tokens that config.json names."""
    return {name: words.convert_tokens_to_ids(token) for name, token in IDS.items()}


def build(folder: Path) -> Path:
    """Write a random Gemma 4 into the folder."""
    words = gemma_tokenizer()
    text = gemma_text(words, vocab_size_per_layer_input=ROWS, hidden_size_per_layer_input=16)
    config = Gemma4Config(
        text_config=text,
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "position_embedding_size": 256,
            "default_output_length": 280,  # vLLM reads it
        },
        **gemma_ids(words),
    )
    processor = Gemma4Processor(
        feature_extractor=Gemma4AudioFeatureExtractor(),
        image_processor=Gemma4ImageProcessor(),
        tokenizer=words,
        video_processor=Gemma4VideoProcessor(),
        chat_template=TEMPLATE,
    )
    return write_checkpoint(Gemma4ForConditionalGeneration, config, processor, folder)


FAMILY = TinyFamily(build)
