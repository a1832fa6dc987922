"""A LoRA folder: what peft saved of a fine-tune that changes a base model by small matrices.

Only LoRA that every engine applies in the same way is accepted. Settings that an engine would leave
out, or that a newer peft may have added, are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtg_eval.engines.weight_files import (
    AGAIN,
    LORA_CONFIG,
    LORA_WEIGHTS,
    MERGE,
    StoredWeight,
    weights_in,
)
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table

PREFIX = "base_model.model."
# What the engines apply, and what has no effect once the LoRA is trained.
APPLIED = frozenset(
    {
        "alpha_pattern",
        "exclude_modules",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "modules_to_save",
        "r",
        "rank_pattern",
        "target_modules",
        "use_rslora",
    }
)
WITHOUT_EFFECT = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "inference_mode",
        "loftq_config",
        "lora_dropout",
        "lora_ga_config",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "revision",
        "runtime_config",
        "task_type",
    }
)
# Ways to start a training that leave the base as it is; others (PiSSA, OLoRA, …) change it.
PLAIN_STARTS = frozenset({"eva", "gaussian", "lora_ga", "mica", "orthogonal"})


@dataclass(frozen=True, slots=True)
class LoraFiles:
    """The settings of adapter_config.json that are applied, and the weights by their names."""

    folder: Path
    settings: Mapping[str, Any]
    weights: Mapping[str, StoredWeight]

    @property
    def rank(self) -> int:
        """The largest rank of a module."""
        ranks: dict[str, int] = self.settings.get("rank_pattern") or {}
        return max([int(self.settings["r"]), *ranks.values()])

    @property
    def saved_modules(self) -> tuple[str, ...]:
        """Modules that were trained and saved as a whole."""
        return tuple(self.settings.get("modules_to_save") or ())


def base_reference(folder: Path) -> str:
    """Return the base model that a LoRA folder names, with "@revision" if it has one, else ""."""
    settings = _settings(folder)
    base, revision = settings.get("base_model_name_or_path"), settings.get("revision")
    if not isinstance(base, str):
        return ""
    return f"{base}@{revision}" if base and isinstance(revision, str) and revision else base


def read_lora(folder: Path) -> LoraFiles:
    """Read a LoRA folder; of its weights the header only.

    Raises UserError for another kind of adapter, for settings that not every engine applies, and
    for a file of weights that is missing or damaged.
    """
    settings = _settings(folder)
    kind = settings.get("peft_type")
    if kind != "LORA":
        raise UserError(f"{folder} holds an adapter of the type {kind}, not LoRA. {MERGE}.")
    used = {name: value for name, value in settings.items() if name in APPLIED and value}
    for name, value in settings.items():
        if value and name not in APPLIED | WITHOUT_EFFECT and (name, value) != ("bias", "none"):
            raise UserError(
                f"{folder / LORA_CONFIG} sets {name} to {value!r:.40}, which not every engine "
                f"applies. {MERGE}."
            )
    start = used.pop("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        raise UserError(
            f"{folder / LORA_CONFIG} has init_lora_weights {start!r:.40}: its training changed the "
            f"base model, too. {MERGE}."
        )
    _check_kinds(folder, used)
    return LoraFiles(folder, used, _weights(folder))


def _settings(folder: Path) -> dict[str, Any]:
    if not (folder / LORA_CONFIG).is_file():
        raise UserError(f"{folder} has the weights of a LoRA, but no {LORA_CONFIG}. {AGAIN}")
    return checkpoint_table(folder / LORA_CONFIG)


def _check_kinds(folder: Path, used: Mapping[str, Any]) -> None:
    numbers = {"r": used.get("r"), **(used.get("rank_pattern") or {})}
    for name, value in numbers.items():
        if type(value) is not int or value < 1:
            raise UserError(
                f"{folder / LORA_CONFIG}: the rank {name} is {value!r:.40}; it must be a whole "
                f"number above 0. {AGAIN}"
            )
    if type(used.get("lora_alpha")) not in (int, float):
        raise UserError(f"{folder / LORA_CONFIG} has no number lora_alpha. {AGAIN}")


def _weights(folder: Path) -> Mapping[str, StoredWeight]:
    path = folder / LORA_WEIGHTS
    if not path.exists():
        others = sorted(p.name for p in folder.glob("adapter_model*"))
        if others:
            raise UserError(
                f"{folder} has no {LORA_WEIGHTS}, only {others[0]}: save it with peft as "
                "safetensors (save_pretrained); other formats are not read."
            )
        raise UserError(f"{folder} has no {LORA_WEIGHTS}. {AGAIN}")
    weights = weights_in(path)
    if not weights:
        raise UserError(f"{path} holds no weights. {AGAIN}")
    return weights
