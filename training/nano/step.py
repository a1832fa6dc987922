"""One training step of nano: patches, the forward pass, and auxiliary losses."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

from .data import TRAITS

PATCHES_PER_PAIR = 16
BLOCK = 2  # visual tokens in a row of a frame pair


class Teacher(nn.Module):
    """Heads for auxiliary losses; they exist in training only.

    One predicts, from the second layer's state at the end of a frame pair, which colours are
    present, new, about to go, and moving. One predicts, from the third layer's state before an
    answer, the first and the last frame pair of the moment. Without these losses training reaches
    the same, far more slowly.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.traits = nn.Linear(width, TRAITS)
        self.pointers = nn.Linear(width, 2 * width)

    def forward(self, states: Sequence[Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Return the auxiliary loss; states: the layers' outputs, each [C, L, width]."""
        pairs = states[2][batch["pair_rows"], batch["pair_columns"]].float()
        loss = functional.binary_cross_entropy_with_logits(
            self.traits(pairs), batch["traits"].float()
        )
        if not len(batch["first"]):
            return loss
        asked = states[3][batch["asked_rows"], batch["asked_columns"]].float()
        apart = batch["asked_rows"][:, None] != batch["pair_rows"][None, :]
        for query, target in zip(
            self.pointers(asked).chunk(2, dim=1), (batch["first"], batch["last"]), strict=True
        ):
            match = query @ pairs.T / pairs.shape[1] ** 0.5
            loss = loss + 0.5 * functional.cross_entropy(match.masked_fill(apart, -1e4), target)
        return loss


def forward(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """Return logits [C, L, V] and the layers' states for a batch of `data.collate`."""
    frames = batch["frames"]
    grid = torch.tensor([[len(frames), 4, 4]], device=frames.device)
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["mask"],
        position_ids=batch["positions"],
        pixel_values_videos=patchify(frames),
        video_grid_thw=grid,
        use_cache=False,
        output_hidden_states=True,
    )
    return output.logits, output.hidden_states


def with_noise(frames: Tensor, strength: float = 2.0) -> Tensor:
    """Add artefacts like a codec's to the frames: noise, and a shift of each clip's level."""
    noise = torch.randn(frames.shape, device=frames.device) * strength
    level = torch.randn(len(frames), 1, 1, 1, 1, device=frames.device) * strength
    return (frames.float() + noise + level).round().clamp(0, 255).to(torch.uint8)


def patchify(frames: Tensor) -> Tensor:
    """Turn frame pairs uint8 [P, 2, 64, 64, 3] into the processor's patches [P * 16, 1536].

    The order is the processor's: the patches of one merged token are adjacent.
    """
    pairs = len(frames)
    values = (frames.float() / 255 - 0.5) / 0.5
    values = values.reshape(pairs, 2, BLOCK, 2, 16, BLOCK, 2, 16, 3)
    # pair, block row, block column, row in block, column in block, channel, time, y, x
    values = values.permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return values.reshape(pairs * PATCHES_PER_PAIR, -1)


def use_even_chunks(model: Any) -> None:
    """Make vision attention treat all frame pairs as one batch, as each has 16 patches."""
    for block in model.model.visual.blocks:
        block.attn.forward = types.MethodType(_even_attention, block.attn)


def _even_attention(
    self: Any, hidden_states: Tensor, position_embeddings: Any = None, **_: Any
) -> Tensor:
    length = hidden_states.shape[0]
    qkv = self.qkv(hidden_states).reshape(length, 3, self.num_heads, -1).permute(1, 0, 2, 3)
    query, key, value = qkv.unbind(0)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    query, key, value = (
        part.to(value.dtype).reshape(-1, PATCHES_PER_PAIR, *part.shape[1:]).transpose(1, 2)
        for part in (query, key, value)
    )
    mixed = functional.scaled_dot_product_attention(query, key, value)
    return self.proj(mixed.transpose(1, 2).reshape(length, -1))
