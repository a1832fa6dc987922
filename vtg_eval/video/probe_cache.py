"""Remembers what probing found, for files that have not changed since."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vtg_eval.errors import VideoError
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import VideoInfo


class ProbeCache:
    """One JSON file for each (path, size, time of last change, decoder)."""

    def __init__(self, folder: Path, decoder: Decoder) -> None:
        self._folder = folder
        self._decoder = decoder

    def probe(self, path: Path) -> VideoInfo:
        """Return the decoder's probe of the file. Raises VideoError."""
        try:
            stat = path.stat()
        except OSError as exc:
            raise VideoError(f"{path.name}: no such file") from exc
        facts = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, self._decoder.identity]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        known = self._folder / f"{key}.json"
        info = _load(known)
        if info is None:
            info = self._decoder.probe(path)
            self._save(known, info)
        return info

    def _save(self, known: Path, info: VideoInfo) -> None:
        record = asdict(info) | {"times": info.times.tolist()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(record, file)
                Path(name).replace(known)
            except OSError:
                Path(name).unlink(missing_ok=True)
        except OSError:
            pass  # no room or no right to write: it is computed again next time


def _load(known: Path) -> VideoInfo | None:
    try:
        record = json.loads(known.read_text(encoding="utf-8"))
        return VideoInfo(**record | {"times": np.array(record["times"], dtype=np.float64)})
    except (OSError, ValueError, TypeError, KeyError):
        return None
