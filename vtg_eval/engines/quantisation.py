"""Quantised checkpoints: their method, and whether transformers runs it on this machine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

KEYS = ("quantization_config", "compression_config")  # the second in older compressed-tensors
METHOD = "quant_method"
BITSANDBYTES = ("load_in_4bit", "load_in_8bit")  # say the method in its first configurations
UNQUANTISED = "name the checkpoint that is not quantised"


def quantisation_method(folder: Path) -> str:
    """Return the method by which a checkpoint is quantised, as config.json names it; "" for none.

    Raises UserError for a quantisation without a method.
    """
    config = checkpoint_table(folder / "config.json")
    text = config.get("text_config")
    tables = (config, text if isinstance(text, dict) else {})
    settings = next((table[key] for table in tables for key in KEYS if table.get(key)), None)
    if settings is None:
        return ""
    if isinstance(settings, dict):
        if isinstance(settings.get(METHOD), str):
            return str(settings[METHOD])
        if any(settings.get(key) for key in BITSANDBYTES):
            return "bitsandbytes"
    raise UserError(
        f"{folder / 'config.json'} has a quantization_config without a {METHOD}, so it is not "
        f"known how to read the weights. Fetch the checkpoint again, or {UNQUANTISED}."
    )


def check_for_transformers(folder: Path, config: Any, arguments: Mapping[str, Any]) -> None:
    """Raise UserError for a quantised checkpoint that transformers cannot run on this machine.

    config: the checkpoint's, as transformers reads it. arguments: for `from_pretrained`.
    """
    from transformers.quantizers.auto import get_hf_quantizer

    method = quantisation_method(folder)
    if not method:
        return
    reason = "it does not have that method."
    try:
        quantizer, _, _ = get_hf_quantizer(
            copy.deepcopy(config),
            arguments.get("quantization_config"),
            arguments.get("device_map"),
            weights_only=True,
            user_agent={},
        )
    except Exception as exc:  # a method raises anything for what it lacks
        quantizer, reason = None, one_line(str(exc))
    if quantizer is None:
        raise UserError(
            f"{folder} is quantised by {method}, which the engine transformers does not run here: "
            f"{reason} Install what it lacks, try --engine vllm, or {UNQUANTISED}."
        )
