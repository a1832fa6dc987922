"""Pixels that vLLM gives a model as bytes, as the model normalises them on its device."""

from __future__ import annotations

from typing import Any

import torch


def normalised(pixels: torch.Tensor, part: Any) -> torch.Tensor:
    """Return patches uint8 [N, channels x values] as float32; other tensors as they are.

    part: the processor's part for the pictures, with `image_mean`, `image_std`, `rescale_factor`.
    """
    if pixels.dtype is not torch.uint8 or pixels.dim() != 2:
        return pixels
    mean, std = (torch.tensor(list(values)) for values in (part.image_mean, part.image_std))
    channels = pixels.reshape(len(pixels), len(mean), -1) * part.rescale_factor
    return ((channels - mean[:, None]) / std[:, None]).reshape(pixels.shape)
