"""A run's folder: its files, whose run it is, and who works in it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.digests import differences
from vtg_eval.run.manifest import Manifest
from vtg_eval.run.spec import RunSpec

# what a process that is killed at once may leave behind
START_FILES = frozenset({"lock", ".manifest.json.part"})


class RunFolder:
    """The folder at `path`; it need not exist before `claim`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest_file = path / "manifest.json"
        self.journal_file = path / "journal.jsonl"
        self.results_file = path / "results.json"

    def manifest(self) -> Manifest:
        """Read the manifest; raises UserError where the folder holds no run."""
        try:
            return Manifest.from_json(json.loads(self.manifest_file.read_text(encoding="utf-8")))
        except FileNotFoundError as exc:
            raise UserError(f"{self.path} is not a run folder: it has no manifest.json.") from exc
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UserError(f"{self.manifest_file} cannot be read: {exc!r}.") from exc

    @contextmanager
    def claim(self, spec: RunSpec) -> Iterator[Manifest]:
        """Hold the folder for this process alone; yield its manifest, a new one in a new folder.

        Raises UserError where another process is at work in it, and where it holds something
        else or the run of another spec: then the message names what differs.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_strangers()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as exc:
            raise UserError(
                f"{self.path} cannot be made: {exc.strerror}. Choose another --out."
            ) from exc
        try:
            self._hold(lock)
            yield self._owned_manifest(spec)
        finally:
            os.close(lock)

    def _refuse_strangers(self) -> None:
        if self.manifest_file.exists():
            return
        strangers = {entry.name for entry in self.path.iterdir()} - START_FILES
        if strangers:
            raise UserError(
                f"{self.path} is no run folder, but holds {min(strangers)}. Choose another --out."
            )

    def _hold(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise UserError(
                f"Another vtg-eval process is at work in {self.path}. Wait for it, or give "
                "this run another --out."
            ) from exc

    def _owned_manifest(self, spec: RunSpec) -> Manifest:
        if not self.manifest_file.exists():
            return Manifest(spec=spec.to_json())
        manifest = self.manifest()
        changed = differences(manifest.spec, spec.to_json())
        if changed:
            raise UserError(
                f"{self.path} holds a run of other arguments: {', '.join(changed)}. "
                "Choose another --out."
            )
        return manifest
