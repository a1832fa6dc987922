"""How fast earlier runs on this machine were, to say how long another will take."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.run.paths import cache_folder
from vtg_eval.run.spec import RunSpec
from vtg_eval.run.usage import Usage

FEWEST = 8  # samples; a shorter run says nothing about another one


def speeds_folder() -> Path:
    """Return the folder of the speeds on this machine."""
    return cache_folder() / "speeds"


@dataclass(frozen=True, slots=True)
class Speed:
    """samples: answered a second by one process, engine start left out. day: of the run (UTC)."""

    samples: float
    day: str


def keep_speed(folder: Path, spec: RunSpec, usage: Usage, processes: int) -> None:
    """Keep the speed of a session for later plans; a disk that refuses it is no error."""
    seconds = usage.seconds - usage.starting
    if usage.answers < FEWEST or seconds <= 0.0:
        return
    each = usage.answers / seconds / max(processes, 1)  # 0: all ended with the last answer
    speed = Speed(each, datetime.now(UTC).date().isoformat())
    with suppress(OSError, UserError):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(_file(folder, spec), msgspec.json.encode(speed).decode())


def known_speed(folder: Path, spec: RunSpec) -> Speed | None:
    """Return the speed of the last run of this model on this task, None where there was none."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(_file(folder, spec).read_bytes(), type=Speed)
    return None


def _file(folder: Path, spec: RunSpec) -> Path:
    """Return the file for runs that differ in their samples only."""
    what = [spec.checkpoint, spec.engine, spec.dtype, spec.task, spec.protocol.to_json()]
    return folder / f"{sha256(canonical(what))[:32]}.json"
