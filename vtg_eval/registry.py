"""Plug-ins, discovered by entry point, and what they provide, loaded by name on first use.

Whatever a plug-in does wrong costs that plug-in only: one line on standard error names it and its
package, and the others are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any

import pluggy

from vtg_eval import hookspecs
from vtg_eval.console.streams import warn, watched_stdout
from vtg_eval.console.text import error_line
from vtg_eval.errors import ContractError, PluginError, UserError, suggestion
from vtg_eval.hookspecs import AdapterEntry, Entry, ModelEntry
from vtg_eval.protocol import Protocol, ResolvedProtocol, load_protocol
from vtg_eval.task import Card, Task

GROUP = "vtg_eval"
DISTRIBUTION = "vtg-eval"
PLUGINS_VARIABLE = "VTG_EVAL_PLUGINS"
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
NAME = re.compile(r"[^\s,:]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What one hook provides: the class of its entries, and of their targets.

    base: "module:class" of the interface, imported with the first target. instance: whether a
    target is an object of it, not a class below it.
    """

    hook: str
    entry: type = Entry
    base: str = ""
    instance: bool = False


KINDS: Mapping[str, Kind] = {
    "task": Kind("vtg_tasks", base="vtg_eval.task:Task", instance=True),
    "adapter": Kind("vtg_adapters", AdapterEntry, "vtg_eval.adapter:Adapter"),
    "model": Kind("vtg_models", ModelEntry),
    "engine": Kind("vtg_engines", base="vtg_eval.engines.base:Engine"),
    "decoder": Kind("vtg_decoders", base="vtg_eval.video.decoder:Decoder"),
    "protocol": Kind("vtg_protocols", Path),
    "command": Kind("vtg_commands", base="vtg_eval.cli.command:Command"),
}
EVENTS = ("vtg_run_started", "vtg_sample_answered", "vtg_run_finished")


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """One entry point of the group: its origin, its hooks, and the error if it failed to load."""

    name: str
    module: str
    package: str
    version: str
    hooks: tuple[str, ...] = ()
    error: str | None = None

    @property
    def built_in(self) -> bool:
        """Whether it comes with the harness."""
        return self.package == DISTRIBUTION

    def __str__(self) -> str:
        return f"the plug-in {self.name} of {self.package}"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in that was loaded: its module or object, and the hooks that it implements."""

    record: PluginRecord
    hooks: Mapping[str, pluggy.HookImpl] = field(default_factory=dict)

    def call(self, hook: str, arguments: Mapping[str, object]) -> Any:
        """Call one hook; it may raise anything."""
        implementation = self.hooks[hook]
        return implementation.function(*(arguments[name] for name in implementation.argnames))


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
        points = [p for p in _entry_points() if allowed is None or p.name in allowed]
        loaded = [_loaded(point) for point in sorted(points, key=lambda p: (p.name, p.value))]
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

    def _protocol(self, path: Path) -> Protocol:
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
                entries = _sequence(plugin.call(hook, {}))
            for remark in _printed(printed):
                self.report(plugin.record, remark)
        except KeyboardInterrupt:
            raise
        except BaseException as exc:
            self.report(
                plugin.record, f"failed at {hook}, its {kind}s are left out: {_reason(exc)}"
            )
            return
        for entry in entries:
            try:
                _check_entry(entry, KINDS[kind].entry)
                yield self._protocol(Path(entry)) if kind == "protocol" else entry
            except (TypeError, UserError) as exc:
                self.report(plugin.record, f"a {kind} of {hook} is left out: {_reason(exc)}")
                if kind == "protocol" and isinstance(exc, UserError):
                    refused[_protocol_name(Path(entry))] = str(exc)


def load_target(kind: str, entry: Entry, owner: PluginRecord | None = None) -> Any:
    """Import the target of an entry.

    Raises UserError where a module is missing, and PluginError for everything else that fails.
    """
    module, _, attribute = entry.target.partition(":")
    by = f" ({owner})" if owner is not None and not owner.built_in else ""
    try:
        target = import_module(module)
        for name in attribute.split("."):
            target = getattr(target, name)
    except KeyboardInterrupt:
        raise
    except ImportError as exc:
        raise UserError(
            f'The {kind} "{entry.name}" cannot be used here{by}: {error_line(exc)}'
        ) from exc
    except AttributeError as exc:
        raise PluginError(
            f'The {kind} "{entry.name}" names a missing object{by}: {error_line(exc)}. '
            "Update its plug-in."
        ) from exc
    except BaseException as exc:
        raise PluginError(
            f'The {kind} "{entry.name}" failed to load{by}: {error_line(exc)}'
        ) from exc
    if problem := _target_problem(KINDS[kind], entry.name, target):
        raise PluginError(f'The {kind} "{entry.name}" cannot be used{by}: {entry.target} {problem}')
    return target


def _target_problem(kind: Kind, name: str, target: object) -> str:
    """Return why a target does not fit its kind, empty where it does."""
    module, _, attribute = kind.base.partition(":")
    base: type = getattr(import_module(module), attribute)
    if not kind.instance:
        if not (isinstance(target, type) and issubclass(target, base)):
            return f"is {_described(target)}; it must be a subclass of {module}.{attribute}."
        if missing := sorted(getattr(target, "__abstractmethods__", ())):
            return f"lacks the methods {', '.join(missing)}."
        return ""
    if not isinstance(target, base):
        return f"is {_described(target)}; it must be an instance of {module}.{attribute}."
    card = getattr(target, "card", None)
    if isinstance(target, Task) and not isinstance(card, Card):
        return f"has as its card {_described(card)}; it must be a vtg_eval.task.Card."
    if isinstance(card, Card) and card.name != name:
        return f'has the card of "{card.name}"; both names must be the same.'
    return ""


def _described(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return "None" if value is None else f"of type {type(value).__name__}"


def _entry_points() -> list[EntryPoint]:
    """Return the entry points of the group; a package whose list cannot be read is reported."""
    try:
        return list(entry_points(group=GROUP))
    except Exception:  # one package's broken file fails the list of all packages
        points: dict[tuple[str, str], EntryPoint] = {}
        for distribution in distributions():
            try:
                for point in distribution.entry_points.select(group=GROUP):
                    points.setdefault((point.name, point.value), point)
            except Exception as exc:
                path = getattr(distribution, "_path", "?")
                warn(f"the entry points of {path} are left out: {error_line(exc)}")
        return list(points.values())


def _loaded(point: EntryPoint) -> tuple[Plugin, list[str]]:
    """Import an entry point; return the plug-in, and remarks on hooks that are not called."""
    try:
        package, version = str(point.dist.name), str(point.dist.version)  # type: ignore[union-attr]
    except Exception:  # no metadata, or broken ones
        package, version = "?", "?"
    record = PluginRecord(point.name, point.value, package, version)
    try:
        with watched_stdout() as printed:
            plugin = point.load()
        remarks = [*_misspelt_hooks(plugin), *_printed(printed)]
        return plugin_of(record, plugin), remarks
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # a third party's module may raise anything at import
        return Plugin(replace(record, error=error_line(exc))), []


def plugin_of(record: PluginRecord, plugin: object) -> Plugin:
    """Return a plug-in with its hooks; raises what pluggy does for a hook that does not fit."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    hooks = {
        caller.name: caller.get_hookimpls()[-1]
        for caller in manager.get_hookcallers(plugin) or ()
        if caller.has_spec()
    }
    for name, implementation in hooks.items():
        if implementation.hookwrapper or implementation.wrapper:
            raise TypeError(f"{name} is a hook wrapper; the hooks of vtg-eval take none")
    return Plugin(replace(record, hooks=tuple(sorted(hooks))), hooks)


def _misspelt_hooks(plugin: object) -> Iterator[str]:
    """Yield a remark on each function that is named like a hook and is none."""
    hooks = [*(kind.hook for kind in KINDS.values()), *EVENTS]
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        marked = hasattr(function, f"{GROUP}_impl")
        specification = getattr(function, "__module__", "") == hookspecs.__name__
        if not callable(function) or specification or not (marked or name.startswith("vtg_")):
            continue
        if name in hooks and not marked:
            yield f"{name} is not called: it has no @vtg_eval.hookspecs.hookimpl"
        elif name not in hooks and (marked or get_close_matches(name, hooks, cutoff=0.8)):
            yield f'there is no hook "{name}". {suggestion(name, hooks)}'


def _printed(text: Sequence[str]) -> Iterator[str]:
    """Yield a remark where a plug-in printed something to standard output."""
    if words := " ".join("".join(text).split()):
        yield f'it printed "{words:.80}"; standard output is for results'


def _sequence(value: Any) -> tuple[Any, ...]:
    """Return what a hook gave as a tuple; raises TypeError where it is no sequence."""
    if value is None or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"it returned {type(value).__name__}, not a sequence")
    return tuple(value)


def _check_entry(entry: object, kind: type) -> None:
    """Raise TypeError where an entry is not of its hook's class, or has a field of another type."""
    if kind is Path:
        if not isinstance(entry, str | Path):
            raise TypeError(f"it is {_described(entry)}, not a path")
        return
    if not isinstance(entry, kind):
        raise TypeError(f"it is {_described(entry)}, not of the class {kind.__name__}")
    for each in fields(entry):  # type: ignore[arg-type]
        value = getattr(entry, each.name)
        if each.name == "path":
            right = isinstance(value, str | Path)
        elif each.name == "architectures":
            right = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        else:
            right = isinstance(value, str) or (each.name == "engine" and value is None)
        if not right:
            raise TypeError(f"its {each.name} is {_described(value)}")
    name, target = getattr(entry, "name", ""), getattr(entry, "target", None)
    if not (NAME.fullmatch(name) and name.isprintable()):
        raise TypeError(f"its name is {name!r:.80}; it must have no space, comma or colon")
    if target is not None and not TARGET.fullmatch(target):
        raise TypeError(f'the target of "{name}" is {target!r:.80}; it must be "module:attribute"')


def _protocol_name(path: Path) -> str:
    """Return the name in a broken protocol file, else the file's."""
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
