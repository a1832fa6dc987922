"""A run's folder: its files, its manifest and its lock."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import REMEDY, lock_folder, refuse_strangers, require_same
from vtg_eval.run.manifest import Manifest
from vtg_eval.run.shards import SHARDS, Shard
from vtg_eval.run.spec import RunSpec

# Room on the disk for a run: results and manifest; each sample's line in the journal.
RUN_BYTES, SAMPLE_BYTES = 16 << 20, 8 << 10


class RunFolder:
    """The folder at `path`; `lock` makes it."""

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
            raise UserError(
                f"{self.path} is not a run folder: it has no manifest.json. Name another."
            ) from exc
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
            raise UserError(
                f"{self.manifest_file} cannot be read: {exc!r}. Restore it, or make the run "
                "again in another folder."
            ) from exc

    def check(self, spec: RunSpec, samples: int) -> None:
        """Raise UserError where the run cannot be made here; makes nothing.

        samples: those still to be asked, which need room on the disk. Whether another process is at
        work here is left to `lock`.
        """
        parent = next(
            p for p in (self.path.absolute(), *self.path.absolute().parents) if p.exists()
        )
        if not parent.is_dir():
            raise UserError(f"{self.path} cannot be made: {parent} is a file. {REMEDY}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise UserError(f"{self.path} cannot be made: {parent} cannot be written. {REMEDY}")
        if self.path.is_dir():
            refuse_strangers(self.manifest_file, "run folder", [SHARDS])
        if (self.path / SHARDS).is_dir() and not self.manifest_file.exists():
            raise UserError(
                f"{self.path} has shards of a run that are not merged: `vtg-eval merge "
                f"{self.path}` joins their answers; then this command finishes what is missing."
            )
        if self.manifest_file.exists():
            require_same(self.path, self.manifest().spec, spec.to_json())
        free, needed = shutil.disk_usage(parent).free, RUN_BYTES + samples * SAMPLE_BYTES
        if free < needed:
            raise UserError(
                f"{self.path} has no room for the run: {free / 1e6:,.0f} MB are free and about "
                f"{needed / 1e6:,.0f} MB are needed. Make room. {REMEDY}"
            )

    def check_shard(self, spec: RunSpec, shard: Shard) -> None:
        """Raise UserError where this shard could not be merged with what its run's folder has."""
        run = self.path.parent.parent
        for file in sorted(run.glob(f"{SHARDS}/*/manifest.json")):
            manifest = RunFolder(file.parent).manifest()
            require_same(file.parent, manifest.spec, spec.to_json())
            if manifest.shard is not None and manifest.shard.of != shard.of:
                raise UserError(
                    f"{run} is divided into {manifest.shard.of} shards already, so there is no "
                    f"shard {shard}. Use --shard I/{manifest.shard.of}, or another --out."
                )
        if (run / self.manifest_file.name).exists():
            require_same(run, RunFolder(run).manifest().spec, spec.to_json())

    @contextmanager
    def lock(self, spec: RunSpec) -> Iterator[Manifest]:
        """Lock the folder for this process; yield its manifest, a new one in a new folder.

        Raises UserError where another process has the lock, where the folder holds other files, and
        where its run has another spec: then the message names the differences.
        """
        with lock_folder(self.manifest_file, "run folder", [SHARDS]):
            if not self.manifest_file.exists():
                yield Manifest(spec=spec.to_json())
                return
            manifest = self.manifest()
            require_same(self.path, manifest.spec, spec.to_json())
            yield manifest
