"""Checkpoints of the shapes of published models, with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from vtg_eval.training.plan.model_size import PUBLISHED

from tests.tiny_families import qwen2_5_vl, qwen3_vl


@dataclass(frozen=True, slots=True)
class Shape:
    """A published model whose sizes `PUBLISHED` has, and how its family is built.

    text, vision: what its config.json has besides the sizes.
    """

    build: Callable[[Path, Mapping[str, Any], Mapping[str, Any]], Path]
    text: Mapping[str, Any]
    vision: Mapping[str, Any]


SHAPES: Mapping[str, Shape] = {
    "Qwen2.5-VL-7B-Instruct": Shape(
        qwen2_5_vl.build,
        {
            "max_position_embeddings": 128_000,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [16, 24, 24],
            },
        },
        {"num_heads": 16, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31]},
    ),
    "Qwen3-VL-8B-Instruct": Shape(
        qwen3_vl.build,
        {
            "max_position_embeddings": 262_144,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
            },
        },
        {"num_heads": 16},
    ),
}


def write_checkpoint(name: str, folder: Path, tiny: bool = False) -> Path:
    """Write a random checkpoint of a published model's shape; return the folder.

    The weights are bfloat16 and made on the GPU, if there is one. tiny: of the sizes that tests
    use. The tokenizer is the small one of the tests; the rest of the vocabulary is unused.
    """
    shape = SHAPES[name]
    if tiny:
        return shape.build(folder, {}, {})
    published = PUBLISHED[name]
    text = {**published["text_config"], **shape.text}
    vision = {**published["vision_config"], **shape.vision}
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            return shape.build(folder, text, vision)
    finally:
        torch.set_default_dtype(dtype)
