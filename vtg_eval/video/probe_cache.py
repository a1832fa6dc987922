"""Probing with any decoder, once for each file; the one way in which files reach a decoder."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vtg_eval.errors import VideoError
from vtg_eval.files.atomic import atomic_path
from vtg_eval.video.completeness import least
from vtg_eval.video.decoder import Decoder, Video
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.pyav import PyavDecoder, PyavVideo

# Changes where files are accepted or described by other rules.
RULES = 3


class ProbeCache:
    """One JSON file for each (path, size, time of last change, decoder).

    No decoder is given a file that PyAV has not accepted: playlists and cut files stop here.
    """

    def __init__(self, folder: Path, decoder: Decoder) -> None:
        self._folder = folder
        self._decoder = decoder

    def probe(self, path: Path) -> VideoInfo:
        """Return the decoder's probe of the file. Raises VideoError, CutShortError."""
        with self._decoder.open(path) as video:
            return self.info(video)

    def info(self, video: Video) -> VideoInfo:
        """Return the decoder's probe of an open file. Raises VideoError, CutShortError."""
        path = video.path
        try:
            stat = path.stat()
        except OSError as exc:
            raise VideoError(f"{path.name}: no such file") from exc
        identity = [RULES, str(path.resolve()), stat.st_size, stat.st_mtime_ns]
        identity.append(self._decoder.identity)
        key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        cached = self._folder / f"{key}.json"
        info = _load(cached)
        if info is None:
            info = self._accepted(video)
            self._save(cached, info)
        return info

    def _accepted(self, video: Video) -> VideoInfo:
        if isinstance(video, PyavVideo):
            return video.probe()
        accepted = PyavDecoder().probe(video.path)
        info = video.probe()
        if info.duration < least(accepted.duration):
            raise VideoError(
                f"{video.path.name}: {self._decoder.name} reads {info.duration:.1f} of the file's "
                f"{accepted.duration:.1f} s"
            )
        return replace(info, length_stated=accepted.length_stated)

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
