"""What the builders share: a tokenizer with a family's tokens, sizes of a text model, saving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast
from vtg_eval.training.nano.model import build_tokenizer

VOCABULARY = 384
ROWS = 448  # of the embedding: the vocabulary and a family's own tokens


def tokenizer(tokens: Mapping[str, str], end: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with further special tokens, by the names that the processor reads.

    end: the token that ends an answer.
    """
    corpus = ["when does this happen in the video: the red square moves <1.5 seconds>\n"] * 4
    plain = build_tokenizer(corpus, vocabulary=VOCABULARY)
    return PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        pad_token=plain.pad_token,
        eos_token=end,
        extra_special_tokens=dict(tokens),
        model_max_length=8192,
    )


def text_config(tokenizer: PreTrainedTokenizerFast, **settings: Any) -> dict[str, Any]:
    """Return the settings of a text model of two layers; `settings` are the family's."""
    return {
        "vocab_size": ROWS,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **settings,
    }


def save(model: Any, processor: Any, folder: Path, scale: float = 4.0) -> Path:
    """Write a checkpoint; its weights times `scale`, so that rounding changes no answer."""
    tokenizer = processor.tokenizer
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
