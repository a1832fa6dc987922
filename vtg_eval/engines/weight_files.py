"""A checkpoint's weight files: which there are, whether they are whole, and what is in them.

Both engines load the same files only where this module accepts the folder. transformers takes
model.safetensors or what its index names; vLLM takes every *.safetensors where there is no index.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

WHOLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
LORA_CONFIG, LORA_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER_FILES = (LORA_CONFIG, LORA_WEIGHTS, "adapter_model.bin")
MERGE = (
    "Merge it into its base model with peft (PeftModel.from_pretrained(base, adapter)"
    ".merge_and_unload().save_pretrained(folder)) and name the merged folder"
)
AGAIN = "Fetch the checkpoint again."
POINTER = b"version https://git-lfs"
OTHER_FORMATS = ("*.bin", "*.pt", "*.pth", "*.gguf", "*.ckpt", "*.npz", "*.msgpack", "*.h5")


class StoredWeight(NamedTuple):
    """Where a weight is, its shape, and its kind of number as safetensors names it ("BF16")."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


def holds_lora(folder: Path) -> bool:
    """Tell whether a folder holds an adapter (LoRA) and no whole weights.

    Raises UserError where it holds both: which of them is meant is not known.
    """
    name = _adapter_file(folder)
    if name and any((folder / whole).exists() for whole in (WHOLE_FILE, INDEX_FILE)):
        raise UserError(
            f"{folder} holds an adapter ({name}) beside whole weights, so it is not known which "
            "of the two to run. Move one of them to a folder of its own."
        )
    return name is not None


def refuse_adapter(folder: Path) -> None:
    """Raise UserError where a folder holds an adapter (LoRA), alone or beside whole weights."""
    if holds_lora(folder):
        raise UserError(
            f"{folder} holds an adapter ({_adapter_file(folder)}) and no whole weights. {MERGE}."
        )


def _adapter_file(folder: Path) -> str | None:
    return next((name for name in ADAPTER_FILES if (folder / name).exists()), None)


def stored_weights(folder: Path) -> Mapping[str, StoredWeight]:
    """Return the weights by their names in the files; reads the files' headers only.

    Raises UserError that names the file: an adapter, no safetensors, a missing, cut or damaged
    file, an index that does not fit its files, and files that only one engine would load.
    """
    refuse_adapter(folder)
    index = folder / INDEX_FILE
    files = sorted(folder.glob("*.safetensors"))
    if index.exists():
        if (folder / WHOLE_FILE).exists():
            raise UserError(
                f"{folder} has both {WHOLE_FILE} and {INDEX_FILE}, from two savings: remove the "
                "one that is out of date."
            )
        return _indexed(index)
    if [file.name for file in files] == [WHOLE_FILE]:
        return weights_in(files[0])
    if not files:
        raise UserError(_no_weights(folder))
    if (folder / WHOLE_FILE).exists():
        others = ", ".join(file.name for file in files if file.name != WHOLE_FILE)
        raise UserError(
            f"{folder} holds further weights beside {WHOLE_FILE}, which vLLM would load, too: "
            f"move {others} to another folder."
        )
    raise UserError(f"{folder} has {files[0].name}, but no {INDEX_FILE}. {AGAIN}")


def _no_weights(folder: Path) -> str:
    others = sorted(path.name for pattern in OTHER_FORMATS for path in folder.glob(pattern))
    if others:
        return (
            f"{folder} has no safetensors, only {others[0]}: convert the weights to safetensors "
            "(transformers: model.save_pretrained(folder)); other formats are not read."
        )
    return f"{folder} has no weights ({WHOLE_FILE}). {AGAIN}"


def _indexed(index: Path) -> Mapping[str, StoredWeight]:
    placed = checkpoint_table(index).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(name, str) for name in placed.values()):
        raise UserError(f"{index} has no weight_map from weights to files. {AGAIN}")
    names = sorted(set(placed.values()))
    for name in names:
        if Path(name).name != name:
            raise UserError(f"{index} names {name}, which is not a file of its folder. {AGAIN}")
    shards = {name: weights_in(index.with_name(name)) for name in names}
    for weight, name in placed.items():
        if weight not in shards[name]:
            raise UserError(f"{index} says that {weight} is in {name}, but it is not. {AGAIN}")
    weights: dict[str, StoredWeight] = {}
    for name, shard in shards.items():
        for weight, stored in shard.items():
            if placed.get(weight) != name:
                raise UserError(f"{name} holds {weight}, which {index} does not say. {AGAIN}")
            weights[weight] = stored
    return weights


def weights_in(path: Path) -> dict[str, StoredWeight]:
    """Return what one file's header says; raises UserError for a file that is not whole."""
    from safetensors import safe_open  # imported here: commands without a model start faster

    if not path.is_file():
        raise UserError(f"{path} is missing. {AGAIN}")
    try:
        with path.open("rb") as start:
            if start.read(len(POINTER)) == POINTER:
                raise UserError(
                    f"{path} is a Git LFS pointer, not weights: run `git lfs pull` in its folder."
                )
        with safe_open(path, framework="numpy") as file:
            opened: Any = file
            parts = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return {
                name: StoredWeight(path, tuple(part.get_shape()), part.get_dtype())
                for name, part in parts.items()
            }
    except UserError:
        raise
    except Exception as exc:  # SafetensorError is no more than an Exception
        raise UserError(f"{path} is cut or damaged ({one_line(str(exc))}). {AGAIN}") from exc
