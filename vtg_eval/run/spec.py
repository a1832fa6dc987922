"""What a run is: everything that can move an answer, and the name of the folder it leads to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any

from vtg_eval.protocol import Protocol
from vtg_eval.types import Sample


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Two runs of equal specs give the same answers; runs of unequal specs never share a folder.

    `model` is the checkpoint's name and `checkpoint` the digest of its files, `annotations` the
    digest of all samples of the split, `protocol` the protocol in full as it holds for this
    task and checkpoint. How a run is carried out (batch size, data root, cache) is not part of
    it. `decoder` is None for adapters that look at no frames.
    """

    model: str
    checkpoint: str
    adapter: str
    task: str
    task_version: str
    split: str
    annotations: str
    limit: int | None
    protocol: Protocol
    engine: str
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "auto"
    seed: int = 0
    decoder: str | None = None
    trust_remote_code: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the same whether fresh or read back from a file."""
        plain: dict[str, Any] = json.loads(canonical(asdict(self)))
        return plain

    @property
    def digest(self) -> str:
        """sha256 over the whole spec, hexadecimal."""
        return sha256(canonical(self.to_json()))

    @property
    def folder_name(self) -> str:
        """<model>-<task>-<protocol>-<8 digits>, safe as a file name."""
        words = f"{self.model}-{self.task}-{self.protocol.name}"
        return f"{re.sub(r'[^A-Za-z0-9._@-]+', '_', words).strip('.')}-{self.digest[:8]}"


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two specs' JSON, as 'seed (there 0, now 1)'."""
    old, new = dict(_leaves(there)), dict(_leaves(now))
    return [
        f"{key} (there {_short(old.get(key))}, now {_short(new.get(key))})"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def annotation_digest(samples: Sequence[Sample]) -> str:
    """sha256 over everything the samples say, in their order."""
    return sha256(canonical(samples))


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spare white space: equal values give equal text.

    Dataclasses are written as `asdict` has them, but without its copies.
    """
    return ENCODER.encode(value)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(sorted(field.name for field in fields(kind)))


ENCODER = json.JSONEncoder(  # the check for circles takes a third of the time: these are trees
    sort_keys=True, separators=(",", ":"), default=_fields, check_circular=False
)


def sha256(text: str) -> str:
    """sha256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
