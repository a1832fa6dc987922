"""Frames of edit lists, decoded from real files: which pictures, when, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.video_files import read_clock, write_clock
from vtg_eval.errors import CutShortError
from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.decoder import Video
from vtg_eval.video.edit_list import Part, at_speed, backwards
from vtg_eval.video.edited_frames import EditedFiles, edited_frames
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.pyav import PyavDecoder

RULE = FrameRule(fps=2.0, min_frames=2)
RATE = 8


def as_it_is(height: int, width: int, frames: int) -> tuple[int, int]:
    return height, width


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    return FrameStore(PyavDecoder(), tmp_path / "store")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return two clock videos of 6 and 4 s, the second one four times as wide as high."""
    return {
        "v": write_clock(tmp_path / "v.mp4", 6 * RATE, RATE),
        "wide": write_clock(tmp_path / "wide.mp4", 4 * RATE, RATE, height=48, width=192),
    }


WHOLE = (Part("v", 0.0, 6.0),)


def frames(store: FrameStore, files: dict[str, Path], *parts: Part, size_of: str = "v") -> Frames:
    used = {part.video: files[part.video] for part in parts}
    return edited_frames(store, EditedFiles(parts, used, size_of), RULE, as_it_is)


def clocks(shown: Frames) -> list[int]:
    return [read_clock(picture) for picture in shown.array]


def test_a_whole_file_gives_the_same_frames_as_without_an_edit_list(
    store: FrameStore, files: dict[str, Path]
) -> None:
    plain = store.frames(files["v"], RULE, as_it_is)
    shown = frames(store, files, *WHOLE)
    assert np.array_equal(shown.array, plain.array)
    assert shown.times.tolist() == plain.times.tolist()
    assert shown.digest != plain.digest


def test_frames_that_are_not_stored_are_read_by_the_reader_that_is_given(
    files: dict[str, Path], tmp_path: Path
) -> None:
    asked = []

    def read(video: Video, info: VideoInfo, indices: Sequence[int], size: tuple[int, int]) -> Any:
        asked.append((video.path, info.duration, list(indices)))
        array, times = video.read(indices, size)
        return 255 - array, times

    store = FrameStore(PyavDecoder(), tmp_path / "store", read=read)
    for _ in range(2):
        negative = frames(store, files, *backwards(WHOLE))
    assert asked == [(files["v"], 6.0, list(range(3, 48, 4)))]
    plain = frames(FrameStore(PyavDecoder(), tmp_path / "other"), files, *backwards(WHOLE))
    assert np.array_equal(negative.array, 255 - plain.array)
    asked.clear()
    store.frames(files["v"], RULE, as_it_is, clips=[Span(1.0, 2.0)])
    assert asked == [(files["v"], 1.0, [8, 12])]


def test_each_picture_is_that_of_its_time(store: FrameStore, files: dict[str, Path]) -> None:
    halves = [k / 2 for k in range(12)]
    plain = [4 * k for k in range(12)]
    shown = frames(store, files, *WHOLE)
    assert (shown.times.tolist(), clocks(shown)) == (halves, plain)
    shown = frames(store, files, *at_speed(WHOLE, 2.0))
    assert (shown.times.tolist(), clocks(shown)) == (halves[:6], plain[::2])
    shown = frames(store, files, *at_speed(WHOLE, 0.5))
    assert shown.times.tolist() == [k / 2 for k in range(24)]
    assert clocks(shown) == [2 * k for k in range(24)]
    shown = frames(store, files, *backwards(WHOLE))
    assert shown.times.tolist() == halves
    assert clocks(shown) == [6 * RATE - 1 - number for number in plain]
    shown = frames(store, files, Part("v", 2.0, 6.0))
    assert (shown.times.tolist(), clocks(shown)) == (halves[:8], plain[4:])


def test_another_video_before_it_is_fitted_with_borders(
    store: FrameStore, files: dict[str, Path]
) -> None:
    shown = frames(store, files, Part("wide", 0.0, 2.0), *WHOLE)
    assert shown.times.tolist() == [k / 2 for k in range(16)]
    assert shown.array.shape == (16, 64, 96, 3)
    assert clocks(shown)[4:] == [4 * k for k in range(12)]
    before = shown.array[:4]  # 96 x 24 px in the middle of 96 x 64
    assert [read_clock(picture[20:44]) for picture in before] == [0, 4, 8, 12]
    assert not before[:, :20].any()
    assert not before[:, 44:].any()
    swapped = frames(store, files, Part("wide", 0.0, 4.0), size_of="wide")
    assert swapped.array.shape[1:3] == (48, 192)


def test_frames_are_stored_by_all_that_changes_them(
    store: FrameStore, files: dict[str, Path]
) -> None:
    lists = [WHOLE, backwards(WHOLE), at_speed(WHOLE, 2.0), (Part("v", 0.0, 5.0),)]
    lists.append((Part("wide", 0.0, 1.0), *WHOLE))
    digests = [frames(store, files, *parts).digest for parts in lists]
    assert len(set(digests)) == len(lists)
    for parts, digest in zip(lists, digests, strict=True):
        stored = store.stored(digest)
        assert stored is not None
        again = frames(store, files, *parts)
        assert np.array_equal(again.array, stored[0])
        assert again.times.tolist() == stored[1].tolist()


def test_the_same_edit_list_of_other_content_is_not_taken_for_it(
    store: FrameStore, files: dict[str, Path]
) -> None:
    first = frames(store, files, *WHOLE)
    other = {"v": files["wide"]}
    second = edited_frames(
        store, EditedFiles((replace(WHOLE[0], end=4.0),), other, "v"), RULE, as_it_is
    )
    assert first.digest != second.digest


def test_a_file_that_ends_before_its_part_is_cut_short(
    store: FrameStore, files: dict[str, Path]
) -> None:
    with pytest.raises(CutShortError, match=r"v\.mp4: the file is cut"):
        frames(store, files, Part("v", 0.0, 20.0))
    # annotated durations are rounded
    assert frames(store, files, Part("v", 0.0, 6.5)).info.duration == 6.5
