"""A group's answers scored behind one copy of their prompt, instead of one copy each.

All answers of a group follow the same prompt, nearly all of which is video. Laid out as one row,
the prompt once and then each answer, blind to the others, a forward pass costs about as much as
one answer's; what each token sees, and its position, are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # a label that nothing is predicted for


@dataclass(frozen=True, slots=True)
class Packed:
    """One row for a group. ids, labels: int64 [1, L]; mask: bool [1, 1, L, L]; positions: int64
    [3, 1, L] (M-RoPE). A label is what the token at its own place predicts.

    Each answer is preceded by a copy of the prompt's last token, which predicts its first.
    """

    ids: Tensor
    labels: Tensor
    mask: Tensor
    positions: Tensor


def pack(prompt: Tensor, answers: Tensor, positions: Tensor) -> Packed:
    """Lay out a prompt [P] and its answers [G, T] as one row of P - 1 + G T tokens.

    positions: of the prompt and of one answer behind it, [3, P + T].
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
    seen = (segment[None, :] < 0) | (segment[None, :] == segment[:, None])
    return Packed(
        ids=torch.cat([prompt[:-1], tails.flatten()])[None],
        labels=torch.cat([torch.full_like(prompt[:-1], IGNORED), answers.flatten()])[None],
        mask=torch.tril(seen)[None, None],
        positions=torch.cat(
            [positions[:, :before], positions[:, before : before + length].repeat(1, count)], dim=1
        )[:, None],
    )


def packed_log_probs(
    model: Any, prompt: Tensor, answers: Tensor, positions: Tensor, vision: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None]:
    """Return each answer token's log-probability and the entropy at its place, [G, T] each.

    model: as TRL patches it, with the language model's head fused into the loss; a reference
    model gives no entropies. vision: the tensors of the prompt's video. Other arguments as for
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
