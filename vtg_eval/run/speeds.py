"""How fast earlier runs on this machine were, to say how long another will take."""

from __future__ import annotations

import time
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

FEWEST = 8  # samples; a shorter run says nothing about another one


def speeds_folder() -> Path:
    """Return the folder of the speeds on this machine."""
    return cache_folder() / "speeds"


@dataclass(frozen=True, slots=True)
class Speed:
    """samples: answered a second by one process, engine start left out. day: of the run (UTC)."""

    samples: float
    day: str


class SpeedMeter:
    """Measures a run from the start of its engine on."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._samples = 0

    def start(self) -> None:
        """The engine runs."""
        self._started = time.monotonic()

    def count(self) -> None:
        """One more sample has its answer."""
        self._samples += 1

    def keep(self, folder: Path, spec: RunSpec, processes: int) -> None:
        """Keep the speed for later plans; a disk that refuses it is no error."""
        if self._started is None or self._samples < FEWEST:
            return
        seconds = time.monotonic() - self._started
        each = self._samples / seconds / max(processes, 1)  # 0: all ended with the last answer
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
