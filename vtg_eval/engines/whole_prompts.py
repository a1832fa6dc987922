"""Batches of prompts that are computed as a whole, each with its video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtg_eval.engines.model_inputs import ModelInput, accepted, collate


class WholePrompts:
    """Makes batches of at most `rows` prompts whose tensors can be put together."""

    def __init__(self, model: Any, pad: int, device: str, rows: int) -> None:
        self.rows = rows
        self._model = model
        self._pad = pad
        self._device = device

    def fit(self, items: Sequence[ModelInput]) -> bool:
        """Tell whether prompts can be in one batch: all but the last are in one."""
        return items[-1].shape == items[0].shape

    def batch(self, items: Sequence[ModelInput]) -> dict[str, Any]:
        """Return the arguments for the model's `generate`."""
        tensors = accepted(collate(items, self._pad), self._model)
        return {name: tensor.to(self._device) for name, tensor in tensors.items()}

    def release(self) -> None:
        """Free what is kept from one batch to the next: nothing."""
