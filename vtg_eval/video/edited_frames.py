"""Frames of an edit list, decoded from its files and kept in the frame store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vtg_eval.protocol import FrameRule
from vtg_eval.video.completeness import require_annotated
from vtg_eval.video.decoder import Video
from vtg_eval.video.edit_list import EditedVideo, EditList, edited
from vtg_eval.video.entry_folder import Entry
from vtg_eval.video.frame_store import FrameStore, Sizer
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.resize import RESIZE_RULE
from vtg_eval.video.sampling import choose_rows

Rows = npt.NDArray[np.int64]
Size = tuple[int, int]
BORDER_RULE = "whole picture in the middle, black around it"
SAME_SHAPE = 0.1  # sizes are rounded to multiples of a patch: up to here without a border


@dataclass(frozen=True, slots=True)
class EditedFiles:
    """An edit list with its files, by video. size_of: the video whose size the result has.

    Pictures of another shape are fitted into that size, with black borders.
    """

    parts: EditList
    files: Mapping[str, Path]
    size_of: str


def edited_frames(store: FrameStore, source: EditedFiles, rule: FrameRule, sizer: Sizer) -> Frames:
    """Return the frames that `rule` chooses of the video that the edit list makes.

    sizer: as for `FrameStore.frames`. Raises VideoError; CutShortError where a file ends before a
    part of it does.
    """
    with ExitStack() as stack:
        videos = {
            name: stack.enter_context(store.decoder.open(path))
            for name, path in source.files.items()
        }
        infos = {name: store.info(video) for name, video in videos.items()}
        for part in source.parts:
            require_annotated(source.files[part.video].name, infos[part.video], part.end)
        shown = edited(source.parts, infos, source.size_of)
        rows = choose_rows(shown.info, rule)
        size = sizer(shown.info.height, shown.info.width, len(rows))
        digests = [infos[part.video].digest for part in source.parts]
        key = _key(digests, shown, store.decoder.identity, rows, size)
        entry = store.entry(key, lambda: _decode(store, videos, source, infos, shown, rows, size))
    return Frames(*entry, digest=key, decoder=store.decoder.identity, info=shown.info)


def _decode(
    store: FrameStore,
    videos: Mapping[str, Video],
    source: EditedFiles,
    infos: Mapping[str, VideoInfo],
    shown: EditedVideo,
    rows: Rows,
    size: Size,
) -> Entry:
    array = np.zeros((len(rows), *size, 3), dtype=np.uint8)
    times = shown.info.times[rows]
    for number, part in enumerate(source.parts):
        places = np.flatnonzero(shown.parts[rows] == number)
        if not len(places):
            continue
        info = infos[part.video]
        indices, back = np.unique(shown.indices[rows[places]], return_inverse=True)
        height, width = size if part.video == source.size_of else _fitted(info, size)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        pictures, read = store.read(videos[part.video], info, indices.tolist(), (height, width))
        array[places, top : top + height, left : left + width] = pictures[back]
        if not part.backwards:  # in place of a damaged frame stands an earlier one, with its time
            begin = shown.info.times[np.argmax(shown.parts == number)]
            late = (read - info.times[indices]) / part.speed
            times[places] = np.maximum(times[places] + late[back], begin)
    return array, times


def _fitted(info: VideoInfo, size: Size) -> Size:
    """Return the largest (height, width) of the file's shape within `size`, px."""
    scale = min(size[0] / info.height, size[1] / info.width)
    fitted = max(round(info.height * scale), 1), max(round(info.width * scale), 1)
    near = all(abs(a - b) <= SAME_SHAPE * b for a, b in zip(fitted, size, strict=True))
    return size if near else fitted


def _key(digests: list[str], shown: EditedVideo, decoder: str, rows: Rows, size: Size) -> str:
    """Return the sha256 of everything that changes the frames or their times, hexadecimal.

    digests: of the parts' files.
    """
    table = {
        "videos": digests,
        "parts": shown.parts[rows].tolist(),
        "indices": shown.indices[rows].tolist(),
        "times": shown.info.times[rows].tolist(),
        "decoder": decoder,
        "size": list(size),
        "resize": RESIZE_RULE,
        "border": BORDER_RULE,
    }
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
