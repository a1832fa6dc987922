"""Plug-ins, discovered by entry point, and what they provide, loaded by name on first use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pluggy

from vtg_eval import hookspecs
from vtg_eval.errors import UserError, suggestion
from vtg_eval.hookspecs import AdapterEntry, Entry, ModelEntry
from vtg_eval.protocol import Protocol, ResolvedProtocol, load_protocol
from vtg_eval.task import Card

GROUP = "vtg_eval"
PLUGINS_VARIABLE = "VTG_EVAL_PLUGINS"


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """One entry point of the group: its origin, its hooks, and the error if it failed to load."""

    name: str
    module: str
    package: str
    version: str
    hooks: tuple[str, ...] = ()
    error: str | None = None


class Registry:
    """All plug-ins of this installation; made by `Registry.discover()` and passed on."""

    def __init__(self, manager: pluggy.PluginManager, records: tuple[PluginRecord, ...]) -> None:
        self._manager = manager
        self.records = records

    @classmethod
    def discover(cls) -> Registry:
        """Load every entry point of the group; one that fails to import is recorded, not raised.

        The variable VTG_EVAL_PLUGINS, where set, is a comma-separated list of the entry points
        to load (empty: none).
        """
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        names = os.environ.get(PLUGINS_VARIABLE)
        allowed = None if names is None else {name.strip() for name in names.split(",")}
        records = []
        for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
            if allowed is not None and point.name not in allowed:
                continue
            package, version = (point.dist.name, point.dist.version) if point.dist else ("?", "?")
            hooks: tuple[str, ...] = ()
            error = None
            try:
                plugin = point.load()
                manager.register(plugin, name=f"{package}:{point.name}")
                hooks = tuple(sorted(c.name for c in manager.get_hookcallers(plugin) or ()))
            except Exception as exc:  # a third party's module may raise anything at import
                error = f"{type(exc).__name__}: {exc}".splitlines()[0]
            records.append(PluginRecord(point.name, point.value, package, version, hooks, error))
        return cls(manager, tuple(records))

    def plugin(self, record: PluginRecord) -> Any:
        """Return the plug-in of a record; None where it could not be loaded."""
        return self._manager.get_plugin(f"{record.package}:{record.name}")

    @property
    def hook(self) -> Any:
        """Pluggy's hook caller, for events."""
        return self._manager.hook

    @cached_property
    def tasks(self) -> dict[str, Entry]:
        """Benchmarks by name."""
        return self._collect("task", self.hook.vtg_tasks())

    @cached_property
    def adapters(self) -> dict[str, AdapterEntry]:
        """Model families by name."""
        return self._collect("adapter", self.hook.vtg_adapters())

    @cached_property
    def models(self) -> dict[str, ModelEntry]:
        """Shipped checkpoints by name."""
        return self._collect("model", self.hook.vtg_models())

    @cached_property
    def engines(self) -> dict[str, Entry]:
        """Engines by name."""
        return self._collect("engine", self.hook.vtg_engines())

    @cached_property
    def decoders(self) -> dict[str, Entry]:
        """Decoders by name."""
        return self._collect("decoder", self.hook.vtg_decoders())

    @cached_property
    def commands(self) -> dict[str, Entry]:
        """Sub-commands by name."""
        return self._collect("command", self.hook.vtg_commands())

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        """Protocols by name ("timelens@1")."""
        # imported here: `--help` needs no parser
        from vtg_eval.parsing.choices import CHOICE_PARSERS
        from vtg_eval.parsing.spans import SPAN_PARSERS

        names = {"task": self.tasks, "parser": SPAN_PARSERS, "choice_parser": CHOICE_PARSERS}
        files = [path for paths in self.hook.vtg_protocols() for path in paths]
        return self._collect("protocol", [[load_protocol(path, names) for path in files]])

    def task(self, name: str) -> Any:
        """Import and return the task of that name. Raises UserError with the nearest name."""
        return self._load("task", self.tasks, name)

    def engine(self, name: str) -> Any:
        """Import and return the engine class of that name."""
        return self._load("engine", self.engines, name)

    def decoder(self, name: str) -> Any:
        """Import and return the decoder class of that name."""
        return self._load("decoder", self.decoders, name)

    def adapter(self, name: str) -> Any:
        """Import and return the adapter class of that name."""
        return self._load("adapter", self.adapters, name)

    def protocol(self, name: str) -> Protocol:
        """Return the protocol of that name. Raises UserError with the nearest name."""
        protocol = self.protocols.get(name)
        if protocol is None:
            raise UserError(f'There is no protocol "{name}". {suggestion(name, self.protocols)}')
        return protocol

    def protocol_for(
        self, card: Card, name: str | None = None, split: str = ""
    ) -> ResolvedProtocol:
        """Return a protocol's values for task and split; the card's default protocol for None.

        Raises UserError where there is no such protocol and where it does not cover the task.
        """
        protocol = self.protocol(name or card.default_protocol)
        protocol.check_splits(card.name, [split.name for split in card.splits])
        return protocol.for_task(card.name, card.metric_family, split)

    def adapter_for(self, architectures: Iterable[str]) -> AdapterEntry:
        """Return the adapter that serves a checkpoint's `architectures`; raises UserError."""
        names = tuple(architectures)
        for entry in self.adapters.values():
            if set(names) & set(entry.architectures):
                return entry
        supported = sorted(a for entry in self.adapters.values() for a in entry.architectures)
        raise UserError(
            f"No adapter serves the architecture {', '.join(names) or '(none named)'}. "
            f"Supported: {', '.join(supported)}."
        )

    def _load(self, kind: str, entries: dict[str, Any], name: str) -> Any:
        if name not in entries:
            raise UserError(f'There is no {kind} "{name}". {suggestion(name, entries)}')
        return load_target(kind, entries[name])

    @staticmethod
    def _collect(kind: str, groups: Iterable[Iterable[Any]]) -> dict[str, Any]:
        collected: dict[str, Any] = {}
        for entry in (entry for group in groups for entry in group):
            if entry.name in collected:
                raise UserError(f'Two plug-ins provide the {kind} "{entry.name}"; uninstall one.')
            collected[entry.name] = entry
        return dict(sorted(collected.items()))


def load_target(kind: str, entry: Entry) -> Any:
    """Import the target of an entry. Raises UserError that names the entry where that fails."""
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as exc:
        raise UserError(f'The {kind} "{entry.name}" cannot be used here: {exc}') from exc
    except AttributeError as exc:
        raise UserError(
            f'The {kind} "{entry.name}" names a missing object: {exc}. Update its plug-in.'
        ) from exc
