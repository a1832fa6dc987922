"""A run's folder: its files, whose run it is, and who works in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import lock_folder, require_same
from vtg_eval.run.manifest import Manifest
from vtg_eval.run.spec import RunSpec


class RunFolder:
    """The folder at `path`; it need not exist before `lock`."""

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
    def lock(self, spec: RunSpec) -> Iterator[Manifest]:
        """Hold the folder for this process alone; yield its manifest, a new one in a new folder.

        Raises UserError where another process is at work in it, and where it holds something
        else or the run of another spec: then the message names what differs.
        """
        with lock_folder(self.manifest_file, "run folder"):
            if not self.manifest_file.exists():
                yield Manifest(spec=spec.to_json())
                return
            manifest = self.manifest()
            require_same(self.path, manifest.spec, spec.to_json())
            yield manifest
