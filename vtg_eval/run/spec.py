"""A run's spec: everything that can change an answer, and the folder name made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vtg_eval.adapter import Thinking, TimeText
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.toml_tables import converted
from vtg_eval.probe.transformation import Transformation
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import Sample

# Keys that are left out at these values, so that the digests of earlier runs do not change.
NEWER_KEYS: Mapping[str, tuple[object, ...]] = {
    "time_text": (None, "none"),
    "thinking": ("default",),
    "time_quantum": (0.0,),
    "profile": ("",),
    "commits": ({},),
    "transformation": (None,),
}


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Two runs of equal specs give the same answers; runs of unequal specs never share a folder.

    `model` is the checkpoint's name and `checkpoint` the digest of its files, `commits` those of
    the repositories on the hub that they come from, by their names, `annotations` the
    digest of all samples of the split, `protocol` the protocol in full as it holds for this
    task and checkpoint, `profile` the one by which it does, if any. Execution settings (batch
    size, data root, cache) are not part of it. `decoder` is None for adapters without frames.
    `time_text`, `thinking` and `time_quantum`: see `vtg_eval.adapter.Adapter`. `transformation`:
    what a probe changes.
    """

    model: str
    checkpoint: str
    adapter: str
    task: str
    task_version: str
    split: str
    annotations: str
    limit: int | None
    protocol: ResolvedProtocol
    engine: str
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "auto"
    seed: int = 0
    decoder: str | None = None
    trust_remote_code: bool = False
    time_text: TimeText | None = None
    thinking: Thinking = "default"
    time_quantum: float = 0.0
    profile: str = ""
    transformation: Transformation | None = None
    commits: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the same as when read from a file."""
        table = {**asdict(self), "protocol": self.protocol.to_json()}
        for name, usual in NEWER_KEYS.items():
            if table[name] in usual:
                del table[name]
        plain: dict[str, Any] = json.loads(canonical(table))
        return plain

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> RunSpec:
        """Read the output of `to_json`; raises UserError that names a wrong key."""
        protocol = table.get("protocol")
        if isinstance(protocol, dict):  # "overrides", a key of protocol files, is always empty here
            protocol = {key: value for key, value in protocol.items() if key != "overrides"}
        return converted({**table, "protocol": protocol}, cls, "spec")

    @property
    def rules(self) -> str:
        """The names of the protocol and of the profile: "timelens@1 with timelens2@1"."""
        return rules_name(self.protocol.name, self.profile)

    @property
    def digest(self) -> str:
        """sha256 over the whole spec, hexadecimal."""
        return sha256(canonical(self.to_json()))

    @property
    def folder_name(self) -> str:
        """<model>-<task>-<protocol>-<8 digits>, safe as a file name.

        The name of a transformation is before the digits.
        """
        name = f"{self.model}-{self.task}-{self.protocol.name}"
        if self.transformation is not None:
            name += f"-{self.transformation.file_name}"
        return f"{re.sub(r'[^A-Za-z0-9._@-]+', '_', name).strip('.')}-{self.digest[:8]}"


def rules_name(protocol: str, profile: str) -> str:
    """Return the protocol's name, with that of the profile if there is one."""
    return f"{protocol} with {profile}" if profile else protocol


def annotation_digest(samples: Sequence[Sample]) -> str:
    """sha256 over all fields of the samples, in their order."""
    return sha256(canonical(samples))
