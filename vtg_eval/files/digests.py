"""Digests: sha256 of text, data and sets of samples; differences between two JSON objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any


def sha256(text: str) -> str:
    """sha256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def subset_digest(ids: Iterable[str]) -> str:
    """sha256 over the sample ids in sorted order, one a line: equal for equal sets of samples.

    Scores on different parts of a benchmark are not comparable, so each part has a digest.
    """
    return sha256("".join(f"{name}\n" for name in sorted(ids)))


def canonical(value: Any) -> str:
    """JSON with sorted keys and no extra white space: equal values give equal text.

    Dataclasses are written as by `asdict`, but without its copies.
    """
    return ENCODER.encode(value)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(sorted(field.name for field in fields(kind)))


ENCODER = json.JSONEncoder(  # trees have no circles, and the check takes a third of the time
    sort_keys=True, separators=(",", ":"), default=_fields, check_circular=False
)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two JSON objects, as 'seed (before 0, now 1)'.

    What is absent or null is "not set".
    """
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{key} (before {_short(old.get(key))}, now {_short(new.get(key))})"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _short(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
