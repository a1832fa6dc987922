"""A LoRA on a model of transformers, by peft: all of its weights are applied, or it is refused.

peft leaves out weights for modules that the model does not have, and gives those that the file
lacks random values. Here both are errors, and so are weights of another shape: the LoRA was trained
on another base model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from vtg_eval.engines.lora_files import LoraFiles, read_lora
from vtg_eval.engines.weight_files import LORA_CONFIG, LORA_WEIGHTS, MERGE
from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

SHOWN = 3  # weights or tokens named in a message
TOKENIZER_FILE = "tokenizer.json"


def load_lora(model: Any, folder: Path, base: Path) -> None:
    """Apply a LoRA folder to its base model, which was loaded from the folder `base`.

    Raises UserError where a weight of the LoRA has no place in the model, or the other way round.
    """
    lora = read_lora(folder)
    _apply(model, lora, base, load_file(folder / LORA_WEIGHTS))


def check_lora(model: Any, folder: Path, base: Path) -> None:
    """Raise UserError for a LoRA that `load_lora` would refuse; model: built without values."""
    lora = read_lora(folder)
    _refuse_new_tokens(folder, base)
    weights = {name: torch.empty(w.shape, device="meta") for name, w in lora.weights.items()}
    _apply(model, lora, base, weights)


def _apply(model: Any, lora: LoraFiles, base: Path, weights: Mapping[str, Any]) -> None:
    try:
        from peft import LoraConfig
    except ImportError as exc:
        raise UserError(
            f"{lora.folder} is a LoRA, which needs peft: install vtg-eval with the extra hf "
            f'(README, "Install"). {exc}'
        ) from exc
    try:
        report = model.load_adapter(
            peft_config=LoraConfig(**lora.settings),
            adapter_state_dict=dict(weights),
            ignore_mismatched_sizes=True,  # they are in the report, with their names
        )
    except Exception as exc:  # peft raises anything for settings that do not fit the model
        raise UserError(
            f"{lora.folder} cannot be applied to its base {base}: {one_line(str(exc))} Name the "
            "model that it was trained on by --base."
        ) from exc
    kinds = {
        "of modules that the base does not have": report.unexpected_keys,
        f"missing for modules that {LORA_CONFIG} names": report.missing_keys,
        "of another shape": [key[0] for key in report.mismatched_keys],
    }
    wrong = [f"{len(keys)} {kind} ({_names(keys)})" for kind, keys in kinds.items() if keys]
    if wrong:
        raise UserError(
            f"{lora.folder} does not fit its base {base}; of its weights are {', '.join(wrong)}. "
            "Name the model that it was trained on by --base."
        )


def _refuse_new_tokens(folder: Path, base: Path) -> None:
    """Refuse a LoRA whose own tokenizer has tokens that the base's, which is used, lacks."""
    known = _tokens(base)
    new = _tokens(folder) - known
    if known and new:
        raise UserError(
            f"{folder / TOKENIZER_FILE} has {len(new)} tokens that the base's tokenizer lacks "
            f"({_names(new)}); the base's is used. {MERGE}, with the LoRA's tokenizer."
        )


def _tokens(folder: Path) -> set[str]:
    """Return the tokens of a folder's tokenizer.json, none where it has no such file."""
    table = checkpoint_table(folder / TOKENIZER_FILE)
    vocabulary = (table.get("model") or {}).get("vocab")
    added = [token["content"] for token in table.get("added_tokens") or []]
    return {*added, *(vocabulary if isinstance(vocabulary, dict) else ())}


def _names(keys: Any) -> str:
    named = sorted(key.replace(".default", "") for key in keys)
    return ", ".join(named[:SHOWN]) + (", …" if len(named) > SHOWN else "")
