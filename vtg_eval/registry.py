"""Plug-ins, discovered by entry point, and what they provide, loaded by name on first use.

Whatever a plug-in does wrong costs that plug-in only: one line on standard error names it and its
package, and the others are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtg_eval.console.streams import warn, watched_stdout
from vtg_eval.console.text import error_line
from vtg_eval.errors import ContractError, PluginError, UserError, suggestion
from vtg_eval.hookspecs import AdapterEntry, Entry, ModelEntry
from vtg_eval.plugins.checks import as_sequence, check_entry, load_target
from vtg_eval.plugins.plugin import (
    KINDS,
    Plugin,
    PluginRecord,
    load_plugin,
    plugin_entry_points,
    remarks_on_output,
)
from vtg_eval.profile import NamedProfile, load_named_profile
from vtg_eval.protocol import Protocol, ResolvedProtocol, load_protocol
from vtg_eval.task import Card

PLUGINS_VARIABLE = "VTG_EVAL_PLUGINS"


@dataclass(frozen=True, slots=True)
class Provided:
    """What the plug-ins provide of one kind.

    `owners` has the plug-in of each name, `refused` the reason for each name that is left out.
    """

    entries: dict[str, Any]
    owners: Mapping[str, PluginRecord]
    refused: Mapping[str, str]

    def names(self, owner: PluginRecord) -> tuple[str, ...]:
        """Return the names that a plug-in provides, in its own order."""
        return tuple(
            n for n, record in self.owners.items() if record is owner and n in self.entries
        )


class Registry:
    """All plug-ins of this installation; made by `Registry.discover()` and passed on."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        # built-in ones first, so that nothing takes the name of something built in
        self._plugins = sorted(plugins, key=lambda plugin: not plugin.record.built_in)
        self._provided: dict[str, Provided] = {}
        self._problems: dict[PluginRecord, dict[str, str]] = {}

    @classmethod
    def discover(cls) -> Registry:
        """Load every entry point of the group; one that fails to import is reported, not raised.

        The variable VTG_EVAL_PLUGINS, where set, is a comma-separated list of the entry points
        to load (empty: none).
        """
        names = os.environ.get(PLUGINS_VARIABLE)
        allowed = None if names is None else {name.strip() for name in names.split(",")}
        points = [p for p in plugin_entry_points() if allowed is None or p.name in allowed]
        loaded = [load_plugin(point) for point in sorted(points, key=lambda p: (p.name, p.value))]
        registry = cls([plugin for plugin, _ in loaded])
        for plugin, remarks in loaded:
            if plugin.record.error:
                warn(f"{plugin.record} is left out: {plugin.record.error}")
            for remark in remarks:
                registry.report(plugin.record, remark)
        return registry

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """The entry points by name, those that failed to load too."""
        return tuple(sorted((p.record for p in self._plugins), key=lambda r: (r.name, r.module)))

    def report(self, record: PluginRecord, problem: str, about: str = "") -> None:
        """Print what a plug-in did wrong in one line, each problem once.

        about: where the text may differ each time, what it is about.
        """
        problems = self._problems.setdefault(record, {})
        if (about or problem) not in problems:
            problems[about or problem] = problem
            warn(f"{record}: {problem}")

    def problems(self, record: PluginRecord) -> tuple[str, ...]:
        """Return what a plug-in did wrong so far."""
        return tuple(self._problems.get(record, {}).values())

    def notify(self, event: str, **arguments: object) -> None:
        """Call an event's listeners; an error of one is reported, and the others are called."""
        for plugin in self._plugins:
            if event in plugin.hooks:
                try:
                    plugin.call(event, arguments)
                except KeyboardInterrupt:
                    raise
                except BaseException as exc:
                    self.report(plugin.record, f"failed at {event}: {error_line(exc)}", event)

    def culprit(self, error: BaseException) -> PluginRecord | None:
        """Return the third party's plug-in in which an error came up, None for the harness's own.

        It is the one whose object broke its interface, else the innermost in the traceback.
        """
        modules: list[str] = []
        trace = error.__traceback__
        while trace is not None:
            modules.insert(0, str(trace.tb_frame.f_globals.get("__name__")))
            trace = trace.tb_next
        if isinstance(error, ContractError):
            modules.insert(0, error.module)
        return next(filter(None, map(self._owner_of_module, modules)), None)

    def explain(self, error: BaseException) -> str:
        """Return an error in one line, with the plug-in in which it came up."""
        record, line = self.culprit(error), error_line(error)
        return line if record is None else f"{line} ({record})"

    def report_error(self, error: BaseException) -> str:
        """Report the plug-in in which an error came up, if any; return the error in one line."""
        record = self.culprit(error)
        if record is not None:
            self.report(record, error_line(error), type(error).__name__)
        return self.explain(error)

    def provided(self, kind: str) -> Provided:
        """Return what the plug-ins provide of one of `KINDS`."""
        if kind not in self._provided:
            self._provided[kind] = self._collect(kind)
        return self._provided[kind]

    @property
    def tasks(self) -> dict[str, Entry]:
        """Benchmarks by name."""
        return self.provided("task").entries

    @property
    def adapters(self) -> dict[str, AdapterEntry]:
        """Model families by name."""
        return self.provided("adapter").entries

    @property
    def models(self) -> dict[str, ModelEntry]:
        """Shipped checkpoints by name."""
        return self.provided("model").entries

    @property
    def engines(self) -> dict[str, Entry]:
        """Engines by name."""
        return self.provided("engine").entries

    @property
    def decoders(self) -> dict[str, Entry]:
        """Decoders by name."""
        return self.provided("decoder").entries

    @property
    def commands(self) -> dict[str, Entry]:
        """Sub-commands by name."""
        return self.provided("command").entries

    @property
    def protocols(self) -> dict[str, Protocol]:
        """Protocols by name ("timelens@1")."""
        return self.provided("protocol").entries

    @property
    def profiles(self) -> dict[str, NamedProfile]:
        """Profiles of fine-tunes by name ("time-r1@1")."""
        return self.provided("profile").entries

    def task(self, name: str) -> Any:
        """Import and return the task of that name. Raises UserError with the nearest name."""
        return self._load("task", name)

    def engine(self, name: str) -> Any:
        """Import and return the engine class of that name."""
        return self._load("engine", name)

    def decoder(self, name: str) -> Any:
        """Import and return the decoder class of that name."""
        return self._load("decoder", name)

    def adapter(self, name: str) -> Any:
        """Import and return the adapter class of that name."""
        return self._load("adapter", name)

    def command(self, name: str) -> Any:
        """Import and return the command class of that name."""
        return self._load("command", name)

    def protocol(self, name: str) -> Protocol:
        """Return the protocol of that name. Raises UserError with the nearest name."""
        protocol: Protocol = self.entry("protocol", name)
        return protocol

    def profile(self, name: str) -> NamedProfile:
        """Return the profile of that name. Raises UserError with the nearest name."""
        profile: NamedProfile = self.entry("profile", name)
        return profile

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
        refused = {k: v for entry in self.adapters.values() for k, v in entry.refused.items()}
        for name in names:
            if name in refused:
                raise UserError(f"No adapter serves the architecture {name}. {refused[name]}")
        raise UserError(
            f"No adapter serves the architecture {', '.join(names) or '(none named)'}; "
            "docs/models.md lists those that are served. "
            "Other ways: write an adapter (docs/writing-an-adapter.md); run the model on a server "
            "and use --model openai:NAME --base-url URL; or answer the questions of `vtg-eval "
            "samples` with your own code and use `vtg-eval score`."
        )

    def entry(self, kind: str, name: str) -> Any:
        """Return what is provided under a name; raises UserError, with the nearest name."""
        provided = self.provided(kind)
        if name in provided.entries:
            return provided.entries[name]
        if name in provided.refused:
            raise PluginError(f'The {kind} "{name}" is left out: {provided.refused[name]}')
        raise UserError(f'There is no {kind} "{name}". {suggestion(name, provided.entries)}')

    def _load(self, kind: str, name: str) -> Any:
        entry = self.entry(kind, name)
        return load_target(kind, entry, self.provided(kind).owners[name])

    def _owner_of_module(self, module: str) -> PluginRecord | None:
        """Return the third party's plug-in whose package, or one of whose targets, is the module's.

        The package is that of the entry point.
        """
        for plugin in self._plugins:
            record = plugin.record
            if not record.built_in:
                package = re.split(r"[.:]", record.module)[0]
                if module.split(".")[0] == package or module in self._target_modules(record):
                    return record
        return None

    def _target_modules(self, record: PluginRecord) -> set[str]:
        return {
            entry.target.partition(":")[0]
            for provided in self._provided.values()
            for name, entry in provided.entries.items()
            if isinstance(entry, Entry) and provided.owners[name] is record
        }

    def _read(self, kind: str, path: Path) -> Protocol | NamedProfile:
        if kind == "profile":
            return load_named_profile(path)
        # imported here: `--help` needs no parser
        from vtg_eval.parsing.choices import CHOICE_PARSERS
        from vtg_eval.parsing.spans import SPAN_PARSERS

        names = {"task": self.tasks, "parser": SPAN_PARSERS, "choice_parser": CHOICE_PARSERS}
        return load_protocol(path, names)

    def _collect(self, kind: str) -> Provided:
        """Call a kind's hook of each plug-in; keep what is right and has a name of its own."""
        entries: dict[str, Any] = {}
        owners: dict[str, PluginRecord] = {}
        refused: dict[str, str] = {}
        for plugin in self._plugins:
            for entry in self._entries(kind, plugin, refused):
                name, record = entry.name, plugin.record
                if name not in owners:
                    entries[name], owners[name] = entry, record
                    continue
                twice = f'provides the {kind} "{name}", as does {owners[name]}'
                if owners[name].built_in:
                    self.report(record, f"{twice}; the built-in one is used")
                    continue
                entries.pop(name, None)
                refused[name] = f"{record} {twice}. Choose one by {PLUGINS_VARIABLE}."
                self.report(record, f"{twice}; neither is used, choose one by {PLUGINS_VARIABLE}")
        return Provided(dict(sorted(entries.items())), owners, refused)

    def _entries(self, kind: str, plugin: Plugin, refused: dict[str, str]) -> Iterator[Any]:
        """Yield what one plug-in provides; a part that is wrong is reported and left out."""
        hook = KINDS[kind].hook
        if hook not in plugin.hooks:
            return
        try:
            with watched_stdout() as printed:
                entries = as_sequence(plugin.call(hook, {}))
            for remark in remarks_on_output(printed):
                self.report(plugin.record, remark)
        except KeyboardInterrupt:
            raise
        except BaseException as exc:
            self.report(
                plugin.record, f"failed at {hook}, its {kind}s are left out: {_reason(exc)}"
            )
            return
        in_files = KINDS[kind].entry is Path
        for entry in entries:
            try:
                check_entry(entry, KINDS[kind].entry)
                yield self._read(kind, Path(entry)) if in_files else entry
            except (TypeError, UserError) as exc:
                self.report(plugin.record, f"a {kind} of {hook} is left out: {_reason(exc)}")
                if in_files and isinstance(exc, UserError):
                    refused[_name_in(Path(entry))] = str(exc)


def _name_in(path: Path) -> str:
    """Return the name in a broken file of a protocol or profile, else the file's."""
    try:
        named = re.search(r'^name\s*=\s*"([^"\n]+)"', path.read_text("utf-8", "replace"), re.M)
    except OSError:
        named = None
    return named[1] if named else path.stem


def _reason(error: BaseException) -> str:
    """Return the harness's own refusals without their class."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    return str(error) if type(error) is TypeError else error_line(error)
