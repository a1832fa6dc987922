"""The values of a recipe's tables: filled into dataclasses, each with its kind and range checked.

An unknown key is refused with the nearest one, a value out of range with what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from vtg_eval.errors import UserError, suggestion

Bounds = tuple[float, float]
LARGEST = 1e300  # nothing is without bounds
T = TypeVar("T")


def filled(kind: type[T], table: Mapping[str, Any], ranges: Mapping[str, Bounds]) -> T:
    """Return a dataclass, with those that it holds, from TOML's table.

    Raises UserError that names the key and what its value must be.
    """
    return cast(T, _filled(kind, table, "", ranges))


def _filled(kind: type, table: Mapping[str, Any], prefix: str, ranges: Mapping[str, Bounds]) -> Any:
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    for key in table:
        if key not in known:
            raise UserError(f'there is no key "{prefix}{key}". {suggestion(key, known)}')
    for entry in fields(kind):
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and entry.name not in table:
            raise UserError(f'the key "{prefix}{entry.name}" is missing')
    return kind(**{k: _value(v, hints[k], f"{prefix}{k}", ranges) for k, v in table.items()})


def _value(value: Any, hint: Any, key: str, ranges: Mapping[str, Bounds]) -> Any:
    kind = next((arg for arg in (hint, *get_args(hint)) if is_dataclass(arg)), None)
    if isinstance(kind, type):
        if not isinstance(value, dict):
            raise UserError(f"{key} must be a table, not {value!r}")
        return _filled(kind, value, f"{key}.", ranges)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UserError(f"{key} is {value!r}; it must be one of {', '.join(get_args(hint))}")
        return value
    if get_origin(hint) is tuple:
        return _tuple(value, hint, key, ranges)
    if hint in (int, float):
        return _number(value, hint, key, ranges)
    if not isinstance(value, hint):
        raise UserError(f"{key} is {value!r}; it must be of the kind {hint.__name__}")
    return value


def _tuple(value: Any, hint: Any, key: str, ranges: Mapping[str, Bounds]) -> tuple[Any, ...]:
    """Return a list of any length, or a window of two bounds in order."""
    if not isinstance(value, list):
        raise UserError(f"{key} is {value!r}; it must be a list")
    found = tuple(_value(item, get_args(hint)[0], key, ranges) for item in value)
    if hint == Bounds and (len(found) != 2 or found[0] > found[1]):
        raise UserError(f"{key} is {value!r}; it must be two numbers, the lower one first")
    return found


def _number(value: Any, hint: type, key: str, ranges: Mapping[str, Bounds]) -> float:
    allowed = (int, float) if hint is float else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise UserError(f"{key} is {value!r}; it must be a number of the kind {hint.__name__}")
    low, high = ranges.get(key, (0, LARGEST))
    if not low <= value <= high:
        what = f"between {low:g} and {high:g}" if high < LARGEST else "at 0 or above"
        raise UserError(f"{key} is {value!r}; it must lie {what}")
    found: float = hint(value)
    return found
