"""`vtg-eval plugins`: the installed plug-ins and what they provide."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vtg_eval.cli.command import STANDARD_OUTPUT, Command, write_lines
from vtg_eval.console.streams import show
from vtg_eval.console.tables import text_table
from vtg_eval.plugins.plugin import EVENTS, KINDS, PluginRecord
from vtg_eval.registry import Registry

HEADERS = ("plug-in", "package", "module", "provides")


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plug-in: `provides` has the names by kind, `listens` the event hooks.

    problems: what it did wrong after it was loaded.
    """

    record: PluginRecord
    provides: Mapping[str, tuple[str, ...]]
    listens: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        row = asdict(self)
        return {**row.pop("record"), **row}

    def cells(self) -> list[str]:
        """Return the table's cells."""
        record = self.record
        parts = [f"{kind}: {', '.join(names)}" for kind, names in self.provides.items()]
        if self.listens:
            parts.append(f"listens to: {', '.join(self.listens)}")
        parts += [f"BROKEN: {error}" for error in (record.error, *self.problems) if error]
        return [record.name, f"{record.package} {record.version}", record.module, "; ".join(parts)]


class PluginsCommand(Command):
    """List the entry points of the group `vtg_eval`, broken ones with their error."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Print the list; return 1 where a plug-in is broken."""
        for kind in KINDS:
            registry.provided(kind)
        rows = [plugin_row(record, registry) for record in registry.records]
        if args.json:
            text = json.dumps([row.to_json() for row in rows], indent=2)
            write_lines(STANDARD_OUTPUT, [text])
        else:
            show(text_table(HEADERS, [row.cells() for row in rows]))
        return 1 if any(row.record.error or row.problems for row in rows) else 0


def plugin_row(record: PluginRecord, registry: Registry) -> PluginRow:
    """Return what one plug-in provides."""
    provides = {
        f"{kind}s": registry.provided(kind).names(record)
        for kind, rule in sorted(KINDS.items(), key=lambda item: item[1].hook)
        if rule.hook in record.hooks
    }
    listens = tuple(hook for hook in record.hooks if hook in EVENTS)
    return PluginRow(record, provides, listens, registry.problems(record))
