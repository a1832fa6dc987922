"""Rotary positions of the text after a video, as the checkpoints were trained.

Where a video's time is a position (Qwen2.5-VL), the text after it goes on from the largest
position in the video, and so do vLLM and transformers 5.2. transformers 5.19 goes on from the
picture's height or width instead, so that the question falls within the video's times.
`patch_rope_positions` restores the former. Where each frame pair is a separate group (Qwen3-VL),
both rules give the same positions.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch

Positions = tuple[torch.Tensor, torch.Tensor]


def patch_rope_positions(model: Any) -> None:
    """Wrap the model's `get_rope_index`, where it has one."""
    inner = getattr(model, "model", None)
    original = getattr(inner, "get_rope_index", None)
    if inner is None or original is None:
        return

    def get_rope_index(input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Positions:
        positions, _ = original(input_ids, *args, **kwargs)
        kinds, mask = kwargs.get("mm_token_type_ids"), kwargs.get("attention_mask")
        if kinds is None:
            kinds = torch.zeros_like(input_ids)
        if mask is None:
            mask = torch.ones_like(input_ids)
        deltas = [
            _patch_row(positions[:, row], kinds[row], mask[row].bool())
            for row in range(len(input_ids))
        ]
        return positions, torch.tensor(deltas, device=positions.device).unsqueeze(1)

    inner.get_rope_index = get_rope_index


def _patch_row(positions: torch.Tensor, kinds: torch.Tensor, mask: torch.Tensor) -> int:
    """Shift each group of one row (int [3, L], in place) to follow the one before it.

    Returns by how much the next position exceeds the number of tokens.
    """
    unpadded = mask.nonzero().flatten()
    token_types = kinds[unpadded].tolist()
    start, following = 0, 0
    for _, group in groupby(token_types):
        end = start + len(list(group))
        part = unpadded[start:end]
        positions[:, part] += following - positions[:, part].min()
        following = int(positions[:, part].max()) + 1
        start = end
    return following - len(token_types)
