"""One plug-in: its entry point, what its import gave, and the hooks that it implements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any

import pluggy

from vtg_eval import hookspecs
from vtg_eval.console.streams import warn, watched_stdout
from vtg_eval.console.text import error_line
from vtg_eval.errors import suggestion
from vtg_eval.hookspecs import AdapterEntry, Entry, ModelEntry

GROUP = "vtg_eval"
DISTRIBUTION = "vtg-eval"


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
    "profile": Kind("vtg_profiles", Path),
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


def plugin_entry_points() -> list[EntryPoint]:
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


def load_plugin(point: EntryPoint) -> tuple[Plugin, list[str]]:
    """Import an entry point; return the plug-in, and remarks on hooks that are not called."""
    try:
        metadata = point.dist.metadata  # type: ignore[union-attr]  # read each time it is named
        package, version = str(metadata["Name"]), str(metadata["Version"])
    except Exception:  # no metadata, or broken ones
        package, version = "?", "?"
    record = PluginRecord(point.name, point.value, package, version)
    try:
        with watched_stdout() as printed:
            plugin = point.load()
        remarks = [*_misspelt_hooks(plugin), *remarks_on_output(printed)]
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


def remarks_on_output(text: Sequence[str]) -> Iterator[str]:
    """Yield a remark where a plug-in printed something to standard output."""
    if words := " ".join("".join(text).split()):
        yield f'it printed "{words:.80}"; standard output is for results'
