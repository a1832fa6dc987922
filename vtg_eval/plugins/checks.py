"""Whether what a plug-in's hook gives, and the object that an entry names, is what it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from vtg_eval.console.text import error_line
from vtg_eval.errors import PluginError, UserError
from vtg_eval.hookspecs import Entry
from vtg_eval.plugins.plugin import KINDS, Kind, PluginRecord
from vtg_eval.task import Card, Task

TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
NAME = re.compile(r"[^\s,:]+")


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


def as_sequence(value: Any) -> tuple[Any, ...]:
    """Return what a hook gave as a tuple; raises TypeError where it is no sequence."""
    if value is None or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"it returned {type(value).__name__}, not a sequence")
    return tuple(value)


def check_entry(entry: object, kind: type) -> None:
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
        elif each.name == "refused":
            right = isinstance(value, Mapping) and all(
                isinstance(text, str) for pair in value.items() for text in pair
            )
        else:
            right = isinstance(value, str) or (each.name == "engine" and value is None)
        if not right:
            raise TypeError(f"its {each.name} is {_described(value)}")
    name, target = getattr(entry, "name", ""), getattr(entry, "target", None)
    if not (NAME.fullmatch(name) and name.isprintable()):
        raise TypeError(f"its name is {name!r:.80}; it must have no space, comma or colon")
    if target is not None and not TARGET.fullmatch(target):
        raise TypeError(f'the target of "{name}" is {target!r:.80}; it must be "module:attribute"')
