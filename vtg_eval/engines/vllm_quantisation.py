"""Quantised checkpoints in vLLM: whether it has code for the method on this machine."""

from __future__ import annotations

from pathlib import Path

from vllm.model_executor.kernels.linear import _POSSIBLE_FP8_BLOCK_KERNELS
from vllm.platforms import current_platform

from vtg_eval.files.json_files import checkpoint_table


def missing_kernel(folder: Path) -> str | None:
    """Return why no code of vLLM multiplies by FP8 weights with a scale for each block.

    None where there is some, and for other checkpoints. vLLM itself looks for it only when it
    builds the model: on a CPU it needs AMX, on a GPU any of several kernels serves.
    """
    settings = checkpoint_table(folder / "config.json").get("quantization_config") or {}
    if settings.get("quant_method") != "fp8" or not settings.get("weight_block_size"):
        return None
    kernels = _POSSIBLE_FP8_BLOCK_KERNELS.get(current_platform._enum, [])
    reasons = [reason for supported, reason in (k.is_supported() for k in kernels) if not supported]
    if len(reasons) < len(kernels):
        return None
    return f"FP8 in blocks: {next(iter(reasons), 'no kernel for this platform.')}"
