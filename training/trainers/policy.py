"""The model in training: its weights, what of it learns, and the checkpoint that comes of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from vtg_eval.engines.rope_positions import patch_rope_positions
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path, explained

from ..recipe import ModelRule

# the layers of the language model that adapters are put on; the vision tower has none
ADAPTED = r".*\blanguage_model\.layers\..*\.(q|k|v|o|gate|up|down)_proj"
# what a checkpoint is besides weights and config.json; taken over from the start, byte for byte
KEPT_SUFFIXES = frozenset({".json", ".txt", ".jinja", ".model", ".toml"})
NOT_KEPT = frozenset({"config.json", "model.safetensors.index.json"})


def load_policy(folder: Path, rule: ModelRule) -> Any:
    """Load the weights to train, the vision tower frozen where the rule says so.

    Weights that learn are kept in float32 whatever the dtype: at a learning rate of 1e-6 a step
    is smaller than bfloat16 can add to a weight. bfloat16 is then what is computed in. Raises
    UserError for a checkpoint that cannot be loaded.
    """
    if rule.train == "lora" and not rule.freeze_vision:
        raise UserError('model.train = "lora" trains no vision tower; set freeze_vision = true.')
    model = _load(folder, "float32" if rule.train == "all" else rule.dtype)
    patch_rope_positions(model)
    if rule.freeze_vision:
        model.model.visual.requires_grad_(False)
    return model


def adapters(rule: ModelRule) -> peft.LoraConfig | None:
    """Return the adapters to train (scaled by 2, no dropout), None where all weights are."""
    if rule.train == "all":
        return None
    return peft.LoraConfig(
        r=rule.lora_rank,
        lora_alpha=2 * rule.lora_rank,
        lora_dropout=0.0,
        target_modules=ADAPTED,
        task_type="CAUSAL_LM",
    )


def reload(model: Any, state: Path) -> None:
    """Put a state's weights into the model; raises RuntimeError where one is missing."""
    found = _load(state, str(model.dtype).removeprefix("torch."))
    model.load_state_dict(found.state_dict())


def export(start: Path, state: Path, rule: ModelRule, out: Path) -> None:
    """Write the checkpoint that is scored: weights in the rule's dtype, as safetensors.

    start: the checkpoint that training began with, which gives the files for tokens, pictures,
    prompt and generation. state: a trainer's state, with whole weights or adapters, which are
    merged. `out` appears at once or not at all.
    """
    if rule.train == "lora":
        adapted = peft.PeftModel.from_pretrained(_load(start, rule.dtype), state)
        model = adapted.merge_and_unload()
    else:
        model = _load(state, rule.dtype)
    with explained(out), atomic_path(out) as part:
        model.save_pretrained(part)
        for path in sorted(start.iterdir()):
            if path.suffix in KEPT_SUFFIXES and path.name not in NOT_KEPT:
                shutil.copyfile(path, part / path.name)


def _load(folder: Path, dtype: str) -> Any:
    try:
        return transformers.AutoModelForImageTextToText.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True
        )
    except Exception as exc:  # whatever a broken checkpoint makes the loader raise
        reason = " ".join(str(exc).split())[:300]
        raise UserError(f"{folder} cannot be loaded: {type(exc).__name__}: {reason}") from exc
