"""The model in training: its weights, which of them are trained, and the resulting checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import peft
import torch
from torch.distributed.fsdp import FSDPModule

from vtg_eval.engines.loading import load_model
from vtg_eval.engines.rope_positions import patch_rope_positions
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path, explained

from ..recipe import ModelRule

# the layers that get adapters, all in the language model
ADAPTED = r".*\blanguage_model\.layers\..*\.(q|k|v|o|gate|up|down)_proj"
# files besides weights and config.json, which are copied from the start checkpoint
KEPT_SUFFIXES = frozenset({".json", ".txt", ".jinja", ".model", ".toml"})
NOT_KEPT = frozenset({"config.json", "model.safetensors.index.json"})


def load_policy(folder: Path, rule: ModelRule) -> Any:
    """Load the weights to train; with freeze_vision the vision tower is frozen.

    Trained weights are float32 for every dtype: at a learning rate of 1e-6 a step is too small to
    change a bfloat16 weight. A dtype of bfloat16 then applies to the computation. Raises UserError
    for a checkpoint that cannot be loaded.
    """
    if rule.train == "lora" and not rule.freeze_vision:
        raise UserError(
            'model.train = "lora" does not train the vision tower; set freeze_vision = true.'
        )
    model = _load(folder, "float32" if rule.train == "all" else rule.dtype)
    patch_rope_positions(model)
    gather_head(model)
    if rule.freeze_vision:
        model.model.visual.requires_grad_(False)
    return model


def gather_head(model: Any) -> None:
    """Have FSDP2 gather the output head before the model's forward pass.

    TRL 1.16 multiplies by the head's weight without calling the head, and gathers it in a way by
    which each process keeps the gradient of its own samples only.
    """

    def before(module: Any, arguments: Any) -> None:
        head = module.get_output_embeddings()
        if isinstance(head, FSDPModule):
            head.unshard()

    def after(module: Any, arguments: Any, output: Any) -> None:
        head = module.get_output_embeddings()
        if isinstance(head, FSDPModule) and not torch.is_grad_enabled():
            head.reshard()  # otherwise the backward pass does

    model.register_forward_pre_hook(before)
    model.register_forward_hook(after)


def adapters(rule: ModelRule) -> peft.LoraConfig | None:
    """Return the adapters to train (scaled by 2, no dropout), None for training all weights."""
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
    """Load a state's weights into the model; raises RuntimeError where one is missing."""
    saved = _load(state, str(model.dtype).removeprefix("torch."))
    model.load_state_dict(saved.state_dict())


def export(start: Path, state: Path, rule: ModelRule, out: Path) -> None:
    """Write the checkpoint to score: weights in the rule's dtype, as safetensors.

    start: the start checkpoint, whose tokenizer, processor, template and generation files are
    copied. state: a trainer's state, with whole weights or with adapters, which are merged. `out`
    is written as a whole or not at all.
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
    return load_model(folder, getattr(torch, dtype))
