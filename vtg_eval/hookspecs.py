"""The whole plug-in contract.

A plug-in is a module or object named by an entry point of the group `vtg_eval`; it implements
any of the hooks below with `@hookimpl` (also of this module). An `Entry` names
each thing; its `target` is imported on first use only, so listing stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("vtg_eval")
hookimpl = pluggy.HookimplMarker("vtg_eval")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a plug-in provides. `target` is "module:attribute", imported on first use."""

    name: str
    target: str
    summary: str


@dataclass(frozen=True, slots=True)
class AdapterEntry(Entry):
    """An adapter and the `architectures` (of a checkpoint's config.json) it serves.

    `engine` fixes the engine of adapters whose requests contain the answers (baseline, replay).
    """

    architectures: tuple[str, ...] = ()
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A checkpoint that ships with a package, by name: `--model NAME` means `path`."""

    name: str
    path: Path
    summary: str


@hookspec
def vtg_tasks() -> Sequence[Entry]:
    """Benchmarks. Each target is a `vtg_eval.task.Task`."""
    return ()


@hookspec
def vtg_adapters() -> Sequence[AdapterEntry]:
    """Model families. Each target is a subclass of `vtg_eval.adapter.Adapter`."""
    return ()


@hookspec
def vtg_models() -> Sequence[ModelEntry]:
    """Checkpoints shipped with a package."""
    return ()


@hookspec
def vtg_engines() -> Sequence[Entry]:
    """What runs a model. Each target is a subclass of `vtg_eval.engines.base.Engine`."""
    return ()


@hookspec
def vtg_decoders() -> Sequence[Entry]:
    """Video decoders. Each target is a subclass of `vtg_eval.video.decoder.Decoder`."""
    return ()


@hookspec
def vtg_protocols() -> Sequence[Path]:
    """Protocols, one TOML file each (`vtg_eval.protocol` gives the schema)."""
    return ()


@hookspec
def vtg_profiles() -> Sequence[Path]:
    """Profiles of fine-tunes, one TOML file each (`vtg_eval.profile` gives the schema)."""
    return ()


@hookspec
def vtg_commands() -> Sequence[Entry]:
    """Sub-commands of `vtg-eval`. Each target is a `vtg_eval.cli.command.Command`."""
    return ()


@hookspec
def vtg_run_started(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Call when a run is about to ask its first sample."""


@hookspec
def vtg_sample_answered(folder: Path, record: Mapping[str, Any]) -> None:
    """Call for each journal line, after it is on disk."""


@hookspec
def vtg_run_finished(folder: Path, results: Mapping[str, Any]) -> None:
    """Call when results.json is written."""
