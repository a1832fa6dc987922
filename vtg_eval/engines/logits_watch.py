"""Which answers come from logits that are NaN or infinite, as those of a diverged model are."""

from __future__ import annotations

from typing import Any

import torch


class LogitsWatch:
    """Watches a model's forward passes while it generates, one token a pass.

    A row is sound where the logarithm of the sum of exp(logits) is finite: no NaN, no +inf, and
    not -inf only (a model may rule out tokens by -inf). That is where vLLM's log-probabilities are
    numbers. Rows that are not sound are set to 0, since sampling from them would raise.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._steps: list[torch.Tensor] = []
        model.register_forward_hook(self._watch)

    def clear(self) -> None:
        """Forget the passes so far; call it before a batch."""
        self._steps.clear()

    def sound_tokens(self) -> list[int]:
        """Return, for each row of the batch, how many tokens precede the first unsound logits."""
        sound = torch.stack(self._steps).int()  # [T, B]
        return [int(tokens) for tokens in sound.cumprod(dim=0).sum(dim=0)]

    def _watch(self, model: torch.nn.Module, inputs: Any, output: Any) -> Any:
        logits = output.logits[:, -1]  # [B, vocabulary]
        sound = logits.float().logsumexp(dim=-1).isfinite()
        self._steps.append(sound)
        output.logits[:, -1] = logits.where(sound[:, None], 0.0)
        return output
