"""What the builders share: tokenizers, the settings of a text model, saving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast
from vtg_eval.training.nano.model import build_tokenizer

VOCABULARY = 384
SHARD = "4GB"  # a file of weights; tiny ones are far below
ROWS = 448  # of the embedding where a family has many tokens of its own
NORM = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def tiny_tokenizer(*words: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with Qwen-VL's special tokens; words: further tokens, not special."""
    corpus = ["when does this happen in the video: the red square moves <1.5 seconds>\n"] * 4
    return build_tokenizer(corpus, words, VOCABULARY - len(words))


def special_tokenizer(named: Mapping[str, str], *tokens: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with further special tokens; those in `named` are its attributes, too."""
    names = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", **named}
    return PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer().backend_tokenizer,
        extra_special_tokens=list(tokens),
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
        **names,
    )


def text_settings(tokenizer: PreTrainedTokenizerFast, **settings: Any) -> dict[str, Any]:
    """Return the settings of a text model of two layers; `settings` are the family's."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **settings,
    }


def vision_settings(patch_size: int, **settings: Any) -> dict[str, Any]:
    """Return the settings of a vision model of two layers, as Qwen-VL and GLM-V name them.

    patch_size: in px; `settings` are the family's.
    """
    return {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_heads": 2,
        "patch_size": patch_size,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 64,
        **settings,
    }


def grid(patch_size: int) -> dict[str, Any]:
    """Return a processor's settings for patches of so many px, 2 x 2 of two frames a token."""
    return {"patch_size": patch_size, "merge_size": 2, "temporal_patch_size": 2}


def write_checkpoint(
    model_class: type[Any], config: Any, processor: Any, folder: Path, seed: int = 0
) -> Path:
    """Write a random model of the configuration, and its processor; returns the folder."""
    torch.manual_seed(seed)
    model = model_class(config)
    with torch.no_grad():  # larger logits, so that rounding does not change the argmax
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    tokenizer = processor.tokenizer
    # as in real checkpoints: settings that greedy decoding must ignore
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=20,
        repetition_penalty=1.05,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder, max_shard_size=SHARD)
    processor.save_pretrained(folder)
    return folder
