"""Profiles: what a published fine-tune needs set differently from its family, as data.

A profile is one TOML file: top-level keys and, as in a protocol's file, the tables [frames],
[prompt], [generation], [answer] and [score] with the keys that it replaces in its protocol.
`NamedProfile` is the schema; an unknown key or value is refused with its name. What no source gives
is not in these files; `not_reproduced` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml
from vtg_eval.protocol import ResolvedProtocol, Rules, check_rules, check_version, overridden

PARTS = tuple(part.name for part in fields(Rules))


@dataclass(frozen=True, slots=True)
class NamedProfile:
    """One fine-tune, or several that are asked alike.

    recognises: the names on the hub and the titles of model cards by which a downloaded folder is
    recognised, compared as whole values. architectures: those of the checkpoints that it fits.
    protocol: how it is asked and read. caveat: what every run says. refused: why no engine can run
    it here; then it has no protocol. not_reproduced: what its authors do otherwise. rules: the
    tables of the file.
    """

    name: str
    summary: str
    source: str
    architectures: tuple[str, ...]
    recognises: tuple[str, ...] = ()
    protocol: str = ""
    caveat: str = ""
    refused: str = ""
    not_reproduced: tuple[str, ...] = ()
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def fits(self, architectures: Collection[str]) -> bool:
        """Tell whether a checkpoint has one of the profile's architectures."""
        return not set(self.architectures).isdisjoint(architectures)

    def applied(self, protocol: ResolvedProtocol) -> ResolvedProtocol:
        """Return its protocol's values for a task as they hold for this fine-tune.

        Raises UserError where they exclude each other.
        """
        resolved = overridden(protocol, self.rules)
        check_rules(resolved, f"{self.name} on {protocol.name}: ", {})
        return resolved


def load_named_profile(path: Path) -> NamedProfile:
    """Read a profile's file; raises UserError that names the file and the key."""
    return load_toml(path, "a profile", _profile)


def _profile(table: dict[str, Any]) -> NamedProfile:
    if "rules" in table:
        raise UserError('there is no key "rules"; what differs stands in [frames], [prompt], …')
    rules = {part: table.pop(part) for part in PARTS if part in table}
    converted(rules, Rules)
    profile = replace(converted(table, NamedProfile), rules=rules)
    check_version(profile.name)
    if not profile.architectures:
        raise UserError("architectures is empty; it must name at least one")
    if bool(profile.protocol) == bool(profile.refused):
        raise UserError("it needs either a protocol or, in refused, the reason why it has none")
    return profile
