"""Decoded frames on disk, keyed by everything that changes them.

Safe for several processes: entries are written under a temporary name and renamed, read by
memory map (an entry that is evicted stays readable where it is open), and checked when read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vtg_eval.files.atomic import STALE, atomic_path, is_partial
from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.completeness import require_annotated
from vtg_eval.video.decoder import Decoder, Video
from vtg_eval.video.entry_file import read_entry, write_entry
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.probe_cache import ProbeCache
from vtg_eval.video.resize import RESIZE_RULE
from vtg_eval.video.sampling import ShownVideo, choose_rows, show

GIB = 1 << 30
DEFAULT_LIMIT = 20 * GIB
# Eviction leaves the store this full, so that not every new entry needs an eviction.
LOW_WATER = 0.9
# Other processes' entries are counted again after this process wrote so many.
RECOUNT = 64

Sizer = Callable[[int, int, int], tuple[int, int]]
Entry = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]
"""Frames, uint8 [T, H, W, 3], and their times, float64 [T], seconds."""

log = logging.getLogger(__name__)


class FrameStore:
    """Frames of videos, each decoded once for each way of sampling and size."""

    def __init__(self, decoder: Decoder, folder: Path, limit_bytes: int = DEFAULT_LIMIT) -> None:
        self.decoder = decoder
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._probes = ProbeCache(self.folder / "probes", decoder)
        self._used: int | None = None
        self._written = 0
        self._writable = True

    def probe(self, path: Path) -> VideoInfo:
        """Return the file's metadata, cached while the file is unchanged. Raises VideoError."""
        return self._probes.probe(path)

    def info(self, video: Video) -> VideoInfo:
        """Return the same of a file that the store's decoder has open. Raises VideoError."""
        return self._probes.info(video)

    def frames(
        self,
        path: Path,
        rule: FrameRule,
        sizer: Sizer,
        clips: Sequence[Span] = (),
        annotated: float | None = None,
    ) -> Frames:
        """Return the frames that `rule` chooses, from disk where they were decoded before.

        sizer: (height, width, number of frames) -> (height, width) in px, like
        `Adapter.frame_size`. clips: as in `Sample`; with them, `times` and the info's
        `times` and `duration` are in the shown video's time. annotated: the shown video's
        duration in seconds by the annotation, if it has one. Raises VideoError; CutShortError
        where the file ends before the video does.
        """
        with self.decoder.open(path) as video:
            shown = show(self.info(video), clips)
            require_annotated(path.name, shown.info, annotated)
            rows = choose_rows(shown.info, rule)
            size = sizer(shown.info.height, shown.info.width, len(rows))
            key = frames_key(shown, self.decoder.identity, rows, size)
            entry = self.entry(key, lambda: _decode(video, shown, rows, size))
        return Frames(*entry, digest=key, decoder=self.decoder.identity, info=shown.info)

    def entry(self, key: str, decode: Callable[[], Entry]) -> Entry:
        """Return what is stored under a `Frames.digest`; where nothing is, decode and store it."""
        entry = self.stored(key)
        if entry is None:
            entry = decode()
            self._save(key, *entry)
        return entry

    def stored(self, key: str) -> Entry | None:
        """Return the frames stored under a `Frames.digest` and their times, or None."""
        path = self._path(key)
        try:
            entry = read_entry(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            log.warning("A stored video is damaged (%s) and is decoded again: %s", exc, path)
            return None
        with suppress(OSError):  # evicted meanwhile, or a read-only store
            os.utime(path)  # used now: evicted last
        return entry

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.frames"

    def _save(self, key: str, array: npt.NDArray[np.uint8], times: npt.NDArray[np.float64]) -> None:
        size = array.nbytes + times.nbytes
        if not self._writable or size > self.limit_bytes:
            return
        try:
            self._make_room(size)
            path = self._path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path, sync=False) as part:  # an entry is checked when read
                write_entry(part, array, times)
        except OSError as exc:
            self._writable = False
            log.warning(
                "Decoded frames are no longer kept in %s (%s); the run goes on without.",
                self.folder,
                exc.strerror or exc,
            )

    def _make_room(self, size: int) -> None:
        """Evict the entries used longest ago, if `size` more bytes would not fit."""
        if self._used is None or self._written % RECOUNT == 0:
            self._used = sum(stat.st_size for _, stat in self._entries())
        self._written += 1
        self._used += size
        if self._used <= self.limit_bytes:
            return
        entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns)
        self._used = size + sum(stat.st_size for _, stat in entries)
        for path, stat in entries:
            if self._used <= max(self.limit_bytes * LOW_WATER, size):
                break
            path.unlink(missing_ok=True)
            self._used -= stat.st_size

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield all entries; removes partial files of processes that died."""
        for path in self.folder.glob("*/*"):
            try:
                stat = path.stat()
                if path.suffix == ".frames":
                    yield path, stat
                elif is_partial(path.name) and time.time() - stat.st_mtime > STALE:
                    path.unlink()
            except OSError:
                continue  # another process was faster


def _decode(
    video: Video, shown: ShownVideo, rows: npt.NDArray[np.int64], size: tuple[int, int]
) -> Entry:
    indices = shown.indices[rows]
    order = np.argsort(indices, kind="stable")
    array, times = video.read(indices[order].tolist(), size)
    if (indices[1:] < indices[:-1]).any():  # clips that go back in the file
        inverse = np.argsort(order)
        array, times = array[inverse], times[inverse]
    return array, shown.shown_times(rows, times)


def frames_key(
    shown: ShownVideo, decoder: str, rows: npt.NDArray[np.int64], size: tuple[int, int]
) -> str:
    """Return the sha256 of everything that changes the frames or their times, hexadecimal."""
    parts: dict[str, object] = {
        "video": shown.info.digest,
        "decoder": decoder,
        "indices": shown.indices[rows].tolist(),
        "times": shown.info.times[rows].tolist(),
        "size": list(size),
        "resize": RESIZE_RULE,
    }
    if shown.clips:
        parts["clips"] = shown.clips
    if shown.info.mirrored:  # version 0.1 turned such pictures instead
        parts["mirrored"] = True
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
