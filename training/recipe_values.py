"""The values of a recipe's tables: filled into dataclasses, each with its kind and range checked.

An unknown key is refused with the nearest one, a value out of range with what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from vtg_eval.errors import UserError
from vtg_eval.names import nearest

Bounds = tuple[float, float]
LARGEST = 1e300  # nothing is without bounds
T = TypeVar("T")

# what a number may be; every other number must be finite and not negative
RANGES: Mapping[str, Bounds] = {
    "data.missing_share": (0, 1),
    "data.wrong_share": (0, 1),
    "curation.reasoning_iou": (0, 1),
    "curation.moment_share": (0, 1),
    "sft.steps": (1, 1e7),
    "sft.batch": (1, 1e6),
    "sft.device_batch": (1, 1e6),
    "sft.warmup": (0, 1),
    "difficulty.rollouts": (2, 256),
    "difficulty.temperature": (1e-3, 10),
    "difficulty.max_new_tokens": (1, 32768),
    "selection.mean": (0, 1),
    "selection.mean_iou": (0, 1),
    "selection.deviation": (1e-3, 1),
    "rl.steps": (1, 1e7),
    "rl.prompts": (1, 1e6),
    "rl.group": (2, 256),
    "rl.device_batch": (1, 1e6),
    "rl.warmup": (0, 1),
    "rl.temperature": (1e-3, 10),
    "rl.max_new_tokens": (1, 32768),
    "model.lora_rank": (1, 4096),
}


def filled(kind: type[T], table: Mapping[str, Any]) -> T:
    """Return a dataclass, with those that it holds, from TOML's table.

    Raises UserError that names the key and what its value must be.
    """
    return cast(T, _filled(kind, table, ""))


def _filled(kind: type, table: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    for key in table:
        if key not in known:
            raise UserError(f'there is no key "{prefix}{key}". {nearest(key, known)}')
    for entry in fields(kind):
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and entry.name not in table:
            raise UserError(f'the key "{prefix}{entry.name}" is missing')
    return kind(**{k: _value(v, hints[k], f"{prefix}{k}") for k, v in table.items()})


def _value(value: Any, hint: Any, key: str) -> Any:
    kind = next((arg for arg in (hint, *get_args(hint)) if is_dataclass(arg)), None)
    if isinstance(kind, type):
        if not isinstance(value, dict):
            raise UserError(f"{key} must be a table, not {value!r}")
        return _filled(kind, value, f"{key}.")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UserError(f"{key} is {value!r}; it must be one of {', '.join(get_args(hint))}")
        return value
    if get_origin(hint) is tuple:
        return _tuple(value, hint, key)
    if hint in (int, float):
        return _number(value, hint, key)
    if not isinstance(value, hint):
        raise UserError(f"{key} is {value!r}; it must be of the kind {hint.__name__}")
    return value


def _tuple(value: Any, hint: Any, key: str) -> tuple[Any, ...]:
    """Return a list of any length, or a window of two bounds in order."""
    if not isinstance(value, list):
        raise UserError(f"{key} is {value!r}; it must be a list")
    found = tuple(_value(item, get_args(hint)[0], key) for item in value)
    if hint == Bounds and (len(found) != 2 or found[0] > found[1]):
        raise UserError(f"{key} is {value!r}; it must be two numbers, the lower one first")
    return found


def _number(value: Any, hint: type, key: str) -> float:
    allowed = (int, float) if hint is float else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise UserError(f"{key} is {value!r}; it must be a number of the kind {hint.__name__}")
    low, high = RANGES.get(key, (0, LARGEST))
    if not low <= value <= high:
        what = f"between {low:g} and {high:g}" if high < LARGEST else "at 0 or above"
        raise UserError(f"{key} is {value!r}; it must lie {what}")
    found: float = hint(value)
    return found
