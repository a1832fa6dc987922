"""TOML files read into dataclasses: the dataclass is the schema, errors name the key.

A field's annotation is its type; a range is written as `Annotated[int, msgspec.Meta(ge=1)]`.
Unknown keys, NaN and infinity are refused.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from vtg_eval.errors import UserError, suggestion

T = TypeVar("T")
KIND_NAMES = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}
LIMITS = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}
LONGEST = 60  # characters of a value in a message


class _Value(NamedTuple):
    """A value, its full key and the annotation of its field."""

    key: str
    value: Any
    hint: Any


def read_toml(path: Path) -> dict[str, Any]:
    """Return a file's tables; raises UserError that names the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:  # not TOML, not UTF-8
        raise UserError(f"{path}: not TOML: {exc}") from exc
    except RecursionError as exc:
        raise UserError(f"{path}: its values are nested too deeply.") from exc


def load_toml(path: Path, kind: str, make: Callable[[dict[str, Any]], T]) -> T:
    """Return the object that `make` builds from a file's tables.

    kind: the object's name in messages, "a recipe". Raises UserError that names the file, the key
    and its value.
    """
    table = read_toml(path)
    try:
        return make(table)
    except UserError as exc:
        raise UserError(f"{path}: not {kind}: {exc}") from exc


def converted(value: Any, kind: type[T], key: str = "") -> T:
    """Return a table of TOML or JSON as a dataclass, with the dataclasses that it holds.

    kind: the dataclass, or a dict of such. key: of the table in its file. Raises UserError that
    names the full key, the value and the type it must have.
    """
    import msgspec  # imported here: commands that convert nothing start a tenth faster

    values = list(_values(value, kind, key))
    for item in values:
        _refuse_unknown_keys(item)
        if isinstance(item.value, float) and not math.isfinite(item.value):
            raise _mistake(item)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        for item in values:
            try:
                msgspec.convert(item.value, item.hint)
            except msgspec.ValidationError:
                raise _mistake(item) from exc
        raise


def _values(value: Any, hint: Any, key: str) -> Iterator[_Value]:
    """Yield all annotated values within a value, then the value itself."""
    kind, prefix = _required(hint), f"{key}." if key else ""
    if _is_table(value, kind):
        for name in (name for name in value if name in _hints(kind)):
            yield from _values(value[name], _hints(kind)[name], f"{prefix}{name}")
    elif isinstance(value, dict) and get_origin(kind) in (dict, Mapping):
        for name, item in value.items():
            yield from _values(item, get_args(kind)[1], f"{prefix}{name}")
    elif isinstance(value, list) and get_origin(kind) is tuple:
        for index, item in enumerate(value):
            yield from _values(item, get_args(kind)[0], f"{key}[{index}]")
    yield _Value(key, value, hint)


def _required(hint: Any) -> Any:
    """Return the annotation without `None`."""
    args = get_args(hint)
    return next(arg for arg in args if arg is not NoneType) if NoneType in args else hint


def _is_table(value: Any, kind: Any) -> bool:
    return isinstance(value, dict) and is_dataclass(kind)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _refuse_unknown_keys(table: _Value) -> None:
    kind = _required(table.hint)
    if not _is_table(table.value, kind):
        return
    for name in table.value:
        if name not in _hints(kind):
            key = f"{table.key}.{name}" if table.key else name
            raise UserError(f'there is no key "{key}". {suggestion(name, _hints(kind))}')


def _mistake(item: _Value) -> UserError:
    """Return the error of a value that does not fit its annotation, while its parts do."""
    kind = _required(item.hint)
    if _is_table(item.value, kind):
        missing = next(f.name for f in fields(kind) if _needed(f) and f.name not in item.value)
        key = f"{item.key}.{missing}" if item.key else missing
        return UserError(f'the key "{key}" is missing')
    return UserError(f"{item.key} is {_shown(item.value)}; it must be {_requirement(kind)}")


def _needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _requirement(hint: Any) -> str:
    """Return the text of what a value must be."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, meta = args
        limits = {text: getattr(meta, name) for name, text in LIMITS.items()}
        shown = [f"{text} {limit:g}" for text, limit in limits.items() if limit is not None]
        return f"{KIND_NAMES[kind]} {' and '.join(shown)}"
    if origin is Literal:
        return f"one of {', '.join(args)}"
    if origin is tuple:
        return "a list" if Ellipsis in args else f"a list of {len(args)}"
    return KIND_NAMES.get(hint, "a table")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        text = f"too large a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
