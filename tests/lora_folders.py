"""Random LoRA folders on tiny checkpoints, and the same merged into whole weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

LANGUAGE_LAYERS = r"model\.language_model\.layers\..*_proj"
ALL_LINEAR = r"(?!lm_head).*(_proj|qkv|attn\.proj|fc1|fc2|mlp\.[02])"
RANK = 4


def write_lora(
    folder: Path,
    base: Path,
    targets: str | list[str] = LANGUAGE_LAYERS,
    modules_to_save: Sequence[str] = (),
    **settings: Any,
) -> Path:
    """Write a LoRA folder as peft saves it, with matrices B that are not zero; return it."""
    torch.manual_seed(1)
    config = LoraConfig(
        r=RANK,
        lora_alpha=8 * RANK,
        target_modules=targets,
        modules_to_save=list(modules_to_save) or None,
        **settings,
    )
    model = get_peft_model(_model(base), config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.3)
            elif "modules_to_save" in name:
                weight.mul_(-1)
    model.save_pretrained(folder)
    return folder


def write_merged(folder: Path, base: Path, lora: Path) -> Path:
    """Write the checkpoint that the LoRA makes of its base; return its folder."""
    merged = PeftModel.from_pretrained(_model(base), lora).merge_and_unload()
    merged.save_pretrained(folder)
    for file in base.iterdir():
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)
    return folder


def change_settings(folder: Path, **values: Any) -> Path:
    """Set values of adapter_config.json."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


def _model(base: Path) -> Any:
    return transformers.AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
