"""A group's answers scored behind one copy of their prompt, instead of one copy for each.

All answers of a group follow the same prompt, which is nearly all video. Here a group is one row:
the prompt once, then each answer, masked from the others. A forward pass of this row costs about
as much as that of one answer. Each token attends to the same tokens at the same positions as in
separate rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # the label where nothing is predicted


@dataclass(frozen=True, slots=True)
class Packed:
    """One row for a group. ids, labels: int64 [1, L]; mask: bool [1, 1, L, L]; positions: int64
    [3, 1, L] (M-RoPE). A label is the prediction of the token at the same index (not shifted).

    Before each answer is a copy of the prompt's last token, which predicts the answer's first.
    """

    ids: Tensor
    labels: Tensor
    mask: Tensor
    positions: Tensor


def pack(prompt: Tensor, answers: Tensor, positions: Tensor) -> Packed:
    """Return a prompt [P] and its answers [G, T] as one row of P - 1 + G T tokens.

    positions: of the prompt and one answer after it, [3, P + T].
    """
    count, length = answers.shape
    before = len(prompt) - 1
    starts = prompt[-1].expand(count, 1)
    tails = torch.cat([starts, answers[:, :-1]], dim=1)
    segment = torch.cat(
        [
            torch.full((before,), -1, device=prompt.device),
            torch.arange(count, device=prompt.device).repeat_interleave(length),
        ]
    )
    visible = (segment[None, :] < 0) | (segment[None, :] == segment[:, None])
    return Packed(
        ids=torch.cat([prompt[:-1], tails.flatten()])[None],
        labels=torch.cat([torch.full_like(prompt[:-1], IGNORED), answers.flatten()])[None],
        mask=torch.tril(visible)[None, None],
        positions=torch.cat(
            [positions[:, :before], positions[:, before : before + length].repeat(1, count)], dim=1
        )[:, None],
    )


def packed_log_probs(
    model: Any, prompt: Tensor, answers: Tensor, positions: Tensor, vision: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None]:
    """Return each answer token's log-probability and entropy, [G, T] each.

    model: as patched by TRL, with the language model's head fused into the loss; for a reference
    model the entropies are None. vision: the tensors of the prompt's video. Other arguments: see
    `pack`.
    """
    row = pack(prompt, answers, positions)
    output = model(
        input_ids=row.ids,
        attention_mask=row.mask,
        position_ids=row.positions,
        shift_labels=row.labels,
        fused_lm_head=True,
        **vision,
    )
    before = len(prompt) - 1
    entropy = output.entropy
    return (
        output.log_probs[0, before:].view(answers.shape),
        None if entropy is None else entropy[0, before:].view(answers.shape),
    )
