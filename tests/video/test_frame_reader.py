"""Decoding what the requested frames need, and no more, in every container."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.video_files import X264, read_clock, write_clock
from vtg_eval.video.pyav import PyavDecoder

GOP = 24
CLOSED = {**X264, "g": str(GOP), "bf": "3", "x264-params": "scenecut=0:b-adapt=0"}
OPEN = {**X264, "g": str(GOP), "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}
MPEG = {"g": str(GOP), "bf": "2"}
FILES = {
    "mp4": ("a.mp4", "libx264", CLOSED),
    "mp4, open GOP": ("a.mp4", "libx264", OPEN),
    "mov": ("a.mov", "libx264", CLOSED),
    "fragments": ("a.mp4", "libx264", CLOSED),
    "mkv": ("a.mkv", "libx264", OPEN),
    "webm": ("a.webm", "libvpx-vp9", {"g": str(GOP), "deadline": "realtime", "cpu-used": "8"}),
    "flv": ("a.flv", "libx264", CLOSED),
    "ts": ("a.ts", "libx264", CLOSED),
    "avi": ("a.avi", "mpeg4", {"g": str(GOP)}),
    "asf": ("a.wmv", "wmv2", {"g": str(GOP)}),
}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def least(path: Path, indices: list[int]) -> int:
    """Return how many packets must be decoded for frames: each from the key frame before it on."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
    ordered = sorted(stamps)
    needed: set[int] = set()
    for index in indices:
        rank = stamps.index(ordered[index])
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        first = max(n for n in keys if stamps[n] <= ordered[index])
        needed.update(range(first, rank + 1))
    return len(needed)


@pytest.mark.parametrize("kind", FILES)
def test_frames_of_a_long_video_cost_what_they_must(tmp_path: Path, kind: str) -> None:
    name, codec, options = FILES[kind]
    path = write_clock(
        tmp_path / name,
        360,
        codec=codec,
        options=options,
        container_options=FRAGMENTED if kind == "fragments" else {},
    )
    with PyavDecoder().open(path) as video:
        times = video.probe().times
        probed = video.decoded
        for indices in ([5, 100, 170, 340], [29, 30, 31, 359], [0, 359], [200]):
            before = video.decoded
            array, shown = video.read(indices, (48, 64))
            assert [read_clock(picture) for picture in array] == indices
            np.testing.assert_array_equal(shown, times[indices])
            must = least(path, indices)
            assert must <= video.decoded - before <= 1.05 * must
        assert video.opened == 1
        assert probed < GOP  # the first picture only


def test_frames_without_time_stamps_of_their_own_are_read_in_order(tmp_path: Path) -> None:
    path = write_clock(tmp_path / "a.mpg", 360, codec="mpeg2video", options=MPEG)
    with PyavDecoder().open(path) as video:
        times = video.probe().times
        for indices in ([5, 100, 170, 340], [200]):
            array, shown = video.read(indices, (48, 64))
            assert [read_clock(picture) for picture in array] == indices
            np.testing.assert_array_equal(shown, times[indices])


def test_decoding_on_is_preferred_to_a_seek_that_saves_next_to_nothing(tmp_path: Path) -> None:
    path = write_clock(tmp_path / "a.mp4", 96, options={**CLOSED, "bf": "0"})
    with PyavDecoder().open(path) as video:
        video.probe()
        before = video.decoded
        video.read([0, GOP - 2, GOP], (48, 64))
        assert video.decoded - before == GOP + 1
        before = video.decoded
        video.read([0, GOP], (48, 64))
        assert video.decoded - before == 2


def test_one_opening_is_enough_in_any_order(tmp_path: Path) -> None:
    path = write_clock(tmp_path / "a.mp4", 48)
    with PyavDecoder().open(path) as video:
        assert [read_clock(picture) for picture in video.read([7], (48, 64))[0]] == [7]
        assert len(video.probe().times) == 48
        assert [read_clock(picture) for picture in video.read([9], (48, 64))[0]] == [9]
        assert video.opened == 1
