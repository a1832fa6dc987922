"""Where a model's files are: a shipped model, a local folder, a repository on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vtg_eval.checkpoint.hub import Fetch, is_hub_name, snapshot
from vtg_eval.errors import UserError, suggestion
from vtg_eval.registry import Registry


@dataclass(frozen=True, slots=True)
class Source:
    """A model's folder, and its name in tables; commit: of a repository on the hub."""

    folder: Path
    name: str
    commit: str = ""


def find_source(reference: str, registry: Registry, fetch: Fetch) -> Source:
    """Return the source of a shipped model, of a local folder, else of a name on the hub.

    Raises UserError with the nearest name.
    """
    if reference in registry.models:
        return _local(registry.models[reference].path)
    path = Path(reference).expanduser()
    if path.is_dir():
        return _local(path)
    if path.exists():
        raise UserError(f"{path} is a file; give the checkpoint's folder.")
    if is_hub_name(reference):
        files = snapshot(reference, fetch)
        return Source(files.folder, files.repository, files.commit)
    adapters = registry.adapters.values()
    names = [*registry.models, *(f"{e.name}:…" for e in adapters if e.engine is not None)]
    raise UserError(
        f'There is no model "{reference}": no such folder. {suggestion(reference, names)}'
    )


def _local(folder: Path) -> Source:
    return Source(folder, folder.resolve().name)
