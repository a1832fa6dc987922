"""Decoded frames on disk, keyed by everything that changes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.completeness import require_annotated
from vtg_eval.video.decoder import Decoder, ReadFrames, Video, read_here
from vtg_eval.video.entry_folder import Entry, EntryFolder
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.probe_cache import ProbeCache
from vtg_eval.video.resize import RESIZE_RULE
from vtg_eval.video.sampling import ShownVideo, choose_rows, show

Sizer = Callable[[int, int, int], tuple[int, int]]


class FrameStore:
    """Frames of videos, each decoded once for each way of sampling and size."""

    def __init__(
        self,
        decoder: Decoder,
        folder: Path,
        limit: int | None = None,
        watch: Callable[[bool], None] | None = None,
        read: ReadFrames = read_here,
    ) -> None:
        """limit: bytes of all entries together; None: by the disk, see `EntryFolder`.

        watch: is called for each video whose frames are ready, with whether they were stored. read:
        reads the frames that are not stored.
        """
        self.decoder = decoder
        self.read = read
        self._watch = watch
        self.folder = folder
        self._probes = ProbeCache(folder / "probes", decoder)
        self._entries = EntryFolder(folder, limit)

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
            entry = self.entry(key, lambda: self._decode(video, shown, rows, size))
        return Frames(*entry, digest=key, decoder=self.decoder.identity, info=shown.info)

    def entry(self, key: str, decode: Callable[[], Entry]) -> Entry:
        """Return what is stored under a `Frames.digest`; where nothing is, decode and store it."""
        stored = self.stored(key)
        entry = stored or decode()
        if stored is None:
            self._entries.write(key, entry)
        if self._watch is not None:
            self._watch(stored is not None)
        return entry

    def stored(self, key: str) -> Entry | None:
        """Return the frames stored under a `Frames.digest` and their times, or None."""
        return self._entries.read(key)

    def _decode(
        self, video: Video, shown: ShownVideo, rows: npt.NDArray[np.int64], size: tuple[int, int]
    ) -> Entry:
        indices = shown.indices[rows]
        order = np.argsort(indices, kind="stable")
        array, times = self.read(video, shown.info, indices[order].tolist(), size)
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
