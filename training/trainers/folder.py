"""A training's folder: its owner record, the states to resume from, the log.

training.json   all that the result depends on; another training is refused
log.jsonl       one line a step
state/          the last two states of the trainer
checkpoint/     the result, which vtg-eval scores
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from vtg_eval.files.atomic import write_text
from vtg_eval.files.json_files import read_object
from vtg_eval.files.owned_folder import lock_folder

from .batches import Example

STATE = re.compile(r"checkpoint-(\d{1,9})", re.ASCII)
COMPLETE = "complete"  # the last file that is written into a state
TRAINER_STATE = "trainer_state.json"


class TrainingFolder:
    """One training's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "training.json"
        self.log = path / "log.jsonl"
        self.states = path / "state"
        self.checkpoint = path / "checkpoint"

    def lock(self) -> AbstractContextManager[None]:
        """Lock the folder for this process, as `lock_folder` does."""
        return lock_folder(self.record, "training folder")

    def last_state(self) -> Path | None:
        """Return the newest complete state, None without one."""
        states = [
            (int(match[1]), path)
            for path in (self.states.iterdir() if self.states.is_dir() else ())
            if (match := STATE.fullmatch(path.name)) and (path / COMPLETE).is_file()
        ]
        return max(states)[1] if states else None

    def history(self, state: Path) -> Sequence[Mapping[str, Any]]:
        """Return the figures that were logged up to a state, one mapping for each step."""
        table = read_object(state / TRAINER_STATE, "Train into another folder.")
        entries: list[Mapping[str, Any]] = table.get("log_history", [])
        return [entry for entry in entries if "loss" in entry]

    def rewind(self, step: int) -> None:
        """Remove the log's lines after `step`: they will be written again."""
        if self.log.is_file():
            lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            write_text(
                self.log, "".join(line for line in whole if json.loads(line)["step"] <= step)
            )


def step_of(state: Path | None) -> int:
    """Return the number of steps before a state."""
    match = STATE.fullmatch(state.name) if state else None
    return int(match[1]) if match else 0


def data_digest(examples: Sequence[Example]) -> str:
    """Return the sha256 (hex) of all questions and answers; videos count by their files' names."""
    digest = sha256()
    for example in examples:
        values = [asdict(example.sample), example.video.name, example.answer]
        digest.update(json.dumps(values, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
