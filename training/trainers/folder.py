"""A training's folder: what it is of, the states to resume from, the log.

training.json   what is trained from what on what; another training is refused
log.jsonl       one line a step
state/          the trainer's states, the last two
checkpoint/     the result, which vtg-eval scores
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError

from .batches import Example

STATE = re.compile(r"checkpoint-(\d{1,9})", re.ASCII)
COMPLETE = "complete"  # the file that is written last into a state
TRAINER_STATE = "trainer_state.json"


class TrainingFolder:
    """One training's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts = path / "training.json"
        self.log = path / "log.jsonl"
        self.states = path / "state"
        self.checkpoint = path / "checkpoint"

    def claim(self, facts: Mapping[str, Any]) -> None:
        """Make the folder this training's, or see that it is. Raises UserError where it is not."""
        if self.facts.is_file():
            self._compare(_read(self.facts), json.loads(json.dumps(facts)))
            return
        if self.path.exists() and any(self.path.iterdir()):
            raise UserError(f"{self.path} is not empty and holds no training; name another folder.")
        self.path.mkdir(parents=True, exist_ok=True)
        _write(self.facts, json.dumps(facts, indent=1) + "\n")

    def _compare(self, before: Any, now: Mapping[str, Any]) -> None:
        known = before if isinstance(before, dict) else {}
        differing = sorted(_differences(known, now))
        if differing:
            raise UserError(
                f"{self.path} holds another training: {', '.join(differing)} differ. Name another "
                "folder, or go back to the recipe and the data it was begun with."
            )

    def last_state(self) -> Path | None:
        """Return the newest state that was written to its end, None where there is none."""
        found = [
            (int(match[1]), path)
            for path in (self.states.iterdir() if self.states.is_dir() else ())
            if (match := STATE.fullmatch(path.name)) and (path / COMPLETE).is_file()
        ]
        return max(found)[1] if found else None

    def history(self, state: Path) -> Sequence[Mapping[str, Any]]:
        """Return what was logged up to a state, one mapping a step."""
        table = _read(state / TRAINER_STATE)
        entries: list[Mapping[str, Any]] = table.get("log_history", [])
        return [entry for entry in entries if "loss" in entry]

    def rewind(self, step: int) -> None:
        """Cut off the log's lines after `step`: they will be written again."""
        if self.log.is_file():
            lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            _write(self.log, "".join(x for x in whole if json.loads(x)["step"] <= step))


def step_of(state: Path | None) -> int:
    """Return the number of steps that a state stands for."""
    match = STATE.fullmatch(state.name) if state else None
    return int(match[1]) if match else 0


def data_digest(examples: Sequence[Example]) -> str:
    """sha256 of all that is asked and learnt, hexadecimal. Videos count by their files' names."""
    digest = sha256()
    for example in examples:
        facts = [asdict(example.sample), example.video.name, example.answer]
        digest.update(json.dumps(facts, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _differences(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in a.keys() | b.keys():
        one, other = a.get(key), b.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            yield f"{prefix}{key}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise UserError(f"{path} cannot be read: {exc}. Train into another folder.") from exc


def _write(path: Path, text: str) -> None:
    """Write a file so that it has its old or its new content, whatever happens meanwhile."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
