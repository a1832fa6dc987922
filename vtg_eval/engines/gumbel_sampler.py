"""Sampling with one seed for each answer, so that no answer depends on the rest of its batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor


class GumbelSampler(LogitsProcessor):  # type: ignore[misc]
    """Makes greedy decoding sample from softmax(logits / temperature), each row with its seed.

    The largest of logits / temperature + g, with independent Gumbel noise g, is distributed as
    that softmax (the Gumbel-max trick: Maddison, Tarlow and Minka, A* Sampling, 2014, section 2).
    The noise is sampled on the CPU, so that it is the same on every device.
    """

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._temperature = temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores with noise, [B, vocabulary]."""
        noise = [
            # the logarithm of an exponential variable is a Gumbel variable, with its sign changed
            torch.empty(scores.shape[1]).exponential_(generator=generator).log_()
            for generator in self._generators
        ]
        return scores / self._temperature - torch.stack(noise).to(scores)
