"""vLLM's engine arguments for a checkpoint, and what vLLM does not run, before it is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pydantic
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.kernels.linear import _POSSIBLE_FP8_BLOCK_KERNELS
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.platforms import current_platform

from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.loading import load_config
from vtg_eval.engines.lora_files import read_lora
from vtg_eval.engines.quiet import captured_stderr
from vtg_eval.engines.vllm_lora import lora_arguments
from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

GIB = 1 << 30
# Longest prompt with its answer, in tokens: twice what 14,336 visual tokens with their time
# stamps need, and a fraction of what checkpoints declare (vLLM would reserve memory for that).
CONTEXT = 32_768
# Tokens in one forward pass; also the cache for encoded videos, which must fit the longest.
BATCHED_TOKENS = 16_384
CPU_KV_BYTES = 1 * GIB
# Requests taken from the stream ahead of their answers, as a multiple of the batch size.
IN_FLIGHT = 4


def engine_arguments(checkpoint: Path, options: EngineOptions) -> dict[str, Any]:
    """Return the engine arguments that differ from vLLM's defaults, the user's among them."""
    on_cpu, trust = current_platform.is_cpu(), options.trust_remote_code
    text = load_config(checkpoint, trust).get_text_config()
    arguments: dict[str, Any] = {
        "dtype": _cpu_dtype(text) if options.dtype == "auto" and on_cpu else options.dtype,
        "seed": options.seed,
        "trust_remote_code": trust,
        "load_format": "safetensors",
        "generation_config": "vllm",  # sampling is set request by request
        "max_model_len": min(CONTEXT, getattr(text, "max_position_embeddings", None) or CONTEXT),
        "max_num_batched_tokens": BATCHED_TOKENS,
        "max_num_seqs": options.batch_size * IN_FLIGHT,
        # One image also where videos are given: vLLM loads the encoder of MiniCPM-V 4.6, which
        # videos go through as well, only where images are allowed.
        "limit_mm_per_prompt": {"image": options.images or 1, "video": int(not options.images)},
        "enable_prefix_caching": True,
    }
    if on_cpu:
        arguments |= {"enforce_eager": True, "skip_mm_profiling": True}
        if "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
            arguments["kv_cache_memory_bytes"] = CPU_KV_BYTES
    if options.lora is not None:
        arguments |= lora_arguments(read_lora(options.lora))
    return arguments | dict(options.extra)


def refusal(checkpoint: Path, options: EngineOptions) -> str | None:
    """Return why vLLM makes no configuration of the options, None where it makes one."""
    try:
        arguments = engine_arguments(checkpoint, options)
        with captured_stderr():
            EngineArgs(model=str(checkpoint), **arguments).create_engine_config()
    except pydantic.ValidationError as exc:
        error = exc.errors()[0]
        message = error["msg"].removeprefix("Value error, ")
        return one_line(" ".join((*map(str, error["loc"]), message)))
    except Exception as exc:  # vLLM raises anything
        return error_text(exc)
    return None


def require_media(checkpoint: Path, options: EngineOptions) -> None:
    """Raise UserError where vLLM's code for the model does not read what it is to be given."""
    medium, other = ("image", "header") if options.images else ("video", "interleaved")
    try:
        with captured_stderr():
            arguments = engine_arguments(checkpoint, options)
            config = EngineArgs(model=str(checkpoint), **arguments).create_model_config()
            limits = MULTIMODAL_REGISTRY.get_processing_info(config).supported_mm_limits
    except Exception as exc:  # vLLM raises anything
        raise UserError(f"vLLM cannot run {checkpoint}: {error_text(exc)}") from exc
    if medium not in limits:
        raise UserError(
            f"vLLM reads no {medium}s with the model {checkpoint}: use --engine transformers, or "
            f"--time-text {other}."
        )


def missing_kernel(checkpoint: Path) -> str | None:
    """Return why no code of vLLM multiplies by FP8 weights with a scale for each block.

    None where there is some, and for other checkpoints. vLLM itself looks for it only when it
    builds the model: on a CPU it needs AMX, on a GPU any of several kernels serves.
    """
    settings = checkpoint_table(checkpoint / "config.json").get("quantization_config") or {}
    if settings.get("quant_method") != "fp8" or not settings.get("weight_block_size"):
        return None
    kernels = _POSSIBLE_FP8_BLOCK_KERNELS.get(current_platform._enum, [])
    reasons = [reason for supported, reason in (k.is_supported() for k in kernels) if not supported]
    if len(reasons) < len(kernels):
        return None
    return f"FP8 in blocks: {next(iter(reasons), 'no kernel for this platform.')}"


def error_text(exc: Exception) -> str:
    """Return an exception as one line, with its cause where it has one."""
    cause = exc.__cause__ or exc
    return one_line(f"{type(cause).__name__}: {cause}")


def _cpu_dtype(text_config: Any) -> str:
    """Return the dtype on a CPU; vLLM's kernels of linear attention there take bfloat16 only."""
    layers = getattr(text_config, "layer_types", None) or ()
    return "bfloat16" if "linear_attention" in layers else "float32"
