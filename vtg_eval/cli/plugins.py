"""`vtg-eval plugins`: the installed plug-ins and what they provide."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from vtg_eval.cli.command import Command
from vtg_eval.protocol import load_protocol
from vtg_eval.registry import PluginRecord, Registry

# The hooks that provide named entries; the others are events.
PROVIDERS: Mapping[str, str] = {
    "vtg_tasks": "tasks",
    "vtg_adapters": "adapters",
    "vtg_models": "models",
    "vtg_engines": "engines",
    "vtg_decoders": "decoders",
    "vtg_protocols": "protocols",
    "vtg_commands": "commands",
}


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plug-in: `provides` has the names by kind, `listens` the event hooks."""

    record: PluginRecord
    provides: Mapping[str, tuple[str, ...]]
    listens: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self.record), "provides": dict(self.provides), "listens": self.listens}

    def cells(self) -> list[str]:
        """Return the table's cells."""
        record = self.record
        parts = [f"{kind}: {', '.join(names)}" for kind, names in self.provides.items()]
        if self.listens:
            parts.append(f"listens to: {', '.join(self.listens)}")
        status = f"BROKEN: {record.error}" if record.error else "; ".join(parts)
        return [record.name, f"{record.package} {record.version}", record.module, status]


class PluginsCommand(Command):
    """List the entry points of the group `vtg_eval`, broken ones with their error."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Print the list; return 1 where a plug-in is broken."""
        rows = [plugin_row(record, registry) for record in registry.records]
        if args.json:
            print(json.dumps([row.to_json() for row in rows], indent=2))
        else:
            headers = ["plug-in", "package", "module", "provides"]
            cells = [row.cells() for row in rows]
            print(tabulate(cells, headers, tablefmt="github", disable_numparse=True))
        return 1 if any(row.record.error for row in rows) else 0


def plugin_row(record: PluginRecord, registry: Registry) -> PluginRow:
    """Return what one plug-in provides."""
    plugin = registry.plugin(record)
    provides = {
        PROVIDERS[hook]: _names(hook, getattr(plugin, hook)())
        for hook in record.hooks
        if hook in PROVIDERS
    }
    return PluginRow(record, provides, tuple(h for h in record.hooks if h not in PROVIDERS))


def _names(hook: str, entries: Any) -> tuple[str, ...]:
    if hook == "vtg_protocols":
        return tuple(load_protocol(path).name for path in entries)
    return tuple(entry.name for entry in entries)
