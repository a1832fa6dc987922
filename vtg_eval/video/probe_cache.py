"""A cache of probed metadata, for files that have not changed since."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vtg_eval.errors import VideoError
from vtg_eval.files.atomic import atomic_path
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
        identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, self._decoder.identity]
        key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        cached = self._folder / f"{key}.json"
        info = _load(cached)
        if info is None:
            info = self._decoder.probe(path)
            self._save(cached, info)
        return info

    def _save(self, cached: Path, info: VideoInfo) -> None:
        record = asdict(info) | {"times": info.times.tolist()}
        with suppress(OSError):  # disk full or read-only: probed again next time
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(cached, sync=False) as part:  # a probe is checked when read
                part.write_text(json.dumps(record), encoding="utf-8")


def _load(cached: Path) -> VideoInfo | None:
    try:
        record = json.loads(cached.read_text(encoding="utf-8"))
        return VideoInfo(**record | {"times": np.array(record["times"], dtype=np.float64)})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
