"""The PyAV decoder: each frame is the one at the reported time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.video_files import X264, clock_frame, read_clock, truncate, write_clock, write_silence
from tests.video_kinds import CLOSED_GOP, KINDS, OPEN_GOP, variable_times
from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.video import frame_reader
from vtg_eval.video.pyav import PyavDecoder

SIZE = (48, 64)
SEALED = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76" * 16,
    "encryption_kid": "a7" * 16,
}


def shown(decoder: PyavDecoder, path: Path, indices: list[int]) -> tuple[list[int], np.ndarray]:
    array, times = decoder.read(path, indices, SIZE)
    assert array.shape == (len(indices), *SIZE, 3)
    assert array.dtype == np.uint8
    return [read_clock(picture) for picture in array], times


@pytest.mark.parametrize("over", [0, 12, 10_000], ids=["always seek", "some seeks", "sequential"])
def test_every_frame_is_the_one_at_the_reported_time(
    clock_video: Path, decoder: PyavDecoder, over: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_reader, "MAX_WASTE", over)
    info = decoder.probe(clock_video)
    count = len(info.times)
    first = shown(decoder, clock_video, [0])[0][0]
    for indices in (
        range(count),
        range(0, count, 7),
        range(count // 3, count, 29),
        [count - 1] * 2,
    ):
        clocks, times = shown(decoder, clock_video, list(indices))
        assert clocks == [first + index for index in indices]
        np.testing.assert_array_equal(times, info.times[list(indices)])


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(30000, 1001)])
def test_constant_rate_times_and_duration_are_exact(
    tmp_path: Path, decoder: PyavDecoder, rate: Fraction
) -> None:
    info = decoder.probe(write_clock(tmp_path / "a.mp4", 47, rate))
    np.testing.assert_array_equal(info.times, [float(k / rate) for k in range(47)])
    assert info.duration == float(47 / rate)
    assert info.fps == float(rate)
    assert (info.height, info.width) == (64, 96)


def test_variable_rate_times_are_those_written(tmp_path: Path, decoder: PyavDecoder) -> None:
    stamps = np.array(variable_times())
    path = write_clock(tmp_path / "a.mp4", pts=stamps.tolist(), time_base=Fraction(1, 1000))
    np.testing.assert_allclose(
        decoder.probe(path).times, (stamps - stamps[0]) / 1000, rtol=0, atol=1e-9
    )


def test_frames_hidden_by_an_edit_list_are_not_read(tmp_path: Path, decoder: PyavDecoder) -> None:
    path = KINDS["cut mp4, closed gop"](tmp_path)
    info = decoder.probe(path)
    assert info.times[0] == 0.0
    assert info.duration == pytest.approx(96 / 24 - 1.4, abs=1 / 24)
    assert shown(decoder, path, [0])[0] == [34]  # the first frame at or after 1.4 s


def test_a_cut_transport_stream_starts_at_its_first_whole_picture(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    whole = write_clock(tmp_path / "whole.ts", 96, options=OPEN_GOP).read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(whole[188 * (len(whole) // 188 // 3) :])
    count = len(decoder.probe(path).times)
    clocks, times = shown(decoder, path, list(range(count)))
    assert clocks == list(range(96 - count, 96))
    np.testing.assert_allclose(np.diff(times), 1 / 24, atol=1e-9)


# (a, b, c, d) of a display matrix, and what a player does with the stored picture. What ffmpeg's
# command line shows of such files is the same to the bit.
Pose = tuple[tuple[int, int, int, int], Callable[[Any], Any]]
POSES: Mapping[str, Pose] = {
    "as stored": ((1, 0, 0, 1), lambda picture: picture),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "half a turn": ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
    "a quarter turn": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    "three quarter turns": ((0, -1, 1, 0), np.rot90),
    "transposed": ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
    "transposed, half a turn": ((0, -1, -1, 0), lambda p: np.rot90(p.swapaxes(0, 1), 2)),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("pose", POSES)
def test_pictures_are_turned_and_mirrored_as_the_file_says(
    tmp_path: Path, decoder: PyavDecoder, pose: str, suffix: str
) -> None:
    (a, b, c, d), show = POSES[pose]
    matrix = [*(number << 16 for number in (a, b, 0, c, d, 0, 0, 0)), 1 << 30]
    path = write_clock(tmp_path / f"a{suffix}", 8, display_matrix=matrix)
    expected = show(clock_frame(5))
    info = decoder.probe(path)
    assert (info.height, info.width) == expected.shape[:2]
    assert info.mirrored == (a * d - b * c < 0)
    array, _ = decoder.read(path, [5], (info.height, info.width))
    assert np.abs(array[0].astype(int) - expected).mean() < 20


def test_the_memory_of_frames_does_not_wait_for_the_garbage_collector(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    path = write_clock(tmp_path / "a.mp4", 12)
    gc.collect()
    gc.disable()
    try:
        decoder.probe(path)
        decoder.read(path, [0, 5, 9], SIZE)
        assert not [kept for kept in gc.get_objects() if isinstance(kept, av.VideoFrame)]
    finally:
        gc.enable()


def test_the_last_of_reordered_frames_lasts_as_long_as_the_file_says(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    stamps = [40 * frame + (10_000 if frame >= 54 else 0) for frame in range(58)]
    options = {**X264, "g": "30", "bf": "3", "x264-params": "b-adapt=0:scenecut=0"}
    path = write_clock(tmp_path / "a.mp4", pts=stamps, time_base=Fraction(1, 1000), options=options)
    with av.open(str(path)) as container:
        stated = container.duration / 1e6
        packets = [packet for packet in container.demux(video=0) if packet.size]
    last = max(packets, key=lambda packet: packet.pts)
    assert last.duration * last.time_base > 10  # the difference of two decoding times
    assert decoder.probe(path).duration == pytest.approx(stated, abs=1e-3)
    assert stated == pytest.approx(12.32, abs=0.01)


def test_joined_streams_are_one_after_the_other(tmp_path: Path, decoder: PyavDecoder) -> None:
    part = write_clock(tmp_path / "part.ts", 48, options=OPEN_GOP).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part * 3)
    info = decoder.probe(path)
    np.testing.assert_allclose(info.times, np.arange(144) / 24, atol=1e-9)
    assert info.duration == 6.0
    clocks, times = shown(decoder, path, list(range(143, -1, -1))[::-1])
    assert clocks == [*range(48)] * 3
    np.testing.assert_array_equal(times, info.times)


def test_a_gap_in_a_transport_stream_is_closed_above_10_s(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    lengths = []
    for gap in (8, 12):
        stamps = [frame + (24 * gap if frame >= 24 else 0) for frame in range(48)]
        path = write_clock(tmp_path / f"{gap}.ts", pts=stamps, options={**X264, "bf": "0"})
        lengths.append(decoder.probe(path).duration)
    assert lengths == pytest.approx([10.0, 2.0], abs=0.01)


def test_a_stream_that_appears_after_the_file_was_opened_is_skipped(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    path = write_clock(tmp_path / "a.flv", 240, options=CLOSED_GOP)
    content = path.read_bytes()
    position = 13
    while position < len(content) * 2 // 3:
        position += 15 + int.from_bytes(content[position + 1 : position + 4], "big")
    sound = b"\x08" + (256).to_bytes(3, "big") + bytes(7) + b"\x2f" + bytes(255)
    tag = sound + len(sound).to_bytes(4, "big")
    path.write_bytes(content[:position] + tag * 200 + content[position:])
    info = decoder.probe(path)
    assert len(info.times) == 240
    assert shown(decoder, path, [0, 120, 239])[0] == [0, 120, 239]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"movflags": "faststart"}),
        ("a.mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
        ("a.flv", {"flvflags": "no_duration_filesize"}),
    ],
    ids=["MP4", "fragments", "FLV without its duration"],
)
def test_a_download_that_reserved_its_room_is_cut(
    tmp_path: Path, decoder: PyavDecoder, name: str, options: dict[str, str]
) -> None:
    path = write_clock(tmp_path / name, 240, options=CLOSED_GOP, container_options=options)
    content = path.read_bytes()
    path.write_bytes(content + bytes(len(content) // 50))  # padding
    assert len(decoder.probe(path).times) == 240
    path.write_bytes(content[: len(content) * 3 // 4] + bytes(len(content) // 4))
    with pytest.raises(CutShortError, match="are zeros"):
        decoder.probe(path)


def damaged(folder: Path, first: int, last: int) -> Path:
    """Write a file whose packets `first` to `last` hold noise; its index is intact."""
    path = write_clock(folder / "a.mp4", 96, options=CLOSED_GOP)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        for packet in packets[first : last + 1]:
            content[packet.pos : packet.pos + packet.size] = b"\xa5" * packet.size
    path.write_bytes(content)
    return path


def test_damaged_frames_are_replaced_by_the_frame_on_display_and_its_time(
    tmp_path: Path, decoder: PyavDecoder
) -> None:
    path = damaged(tmp_path, 44, 47)
    expected = [*range(44), 43, 43, 43, 43, *range(48, 96)]
    info = decoder.probe(path)
    clocks, times = shown(decoder, path, list(range(96)))
    assert clocks == expected
    np.testing.assert_array_equal(times, info.times[expected])


def test_a_damaged_start_is_left_out(tmp_path: Path, decoder: PyavDecoder) -> None:
    path = damaged(tmp_path, 0, 11)
    info = decoder.probe(path)
    assert (len(info.times), info.times[0], info.duration) == (84, 0.5, 4.0)
    assert shown(decoder, path, [0, 3, 83])[0] == [12, 15, 95]


def test_a_long_damaged_stretch_is_an_error(tmp_path: Path, decoder: PyavDecoder) -> None:
    path = damaged(tmp_path, 24, 71)
    assert shown(decoder, path, [5, 80])[0] == [5, 80]
    with pytest.raises(VideoError, match=r"no picture can be decoded at 2\.500 s"):
        decoder.read(path, [5, 60], SIZE)


def write_text(path: Path) -> Path:
    path.write_text("not a video\n" * 100)
    return path


def write_playlist(path: Path) -> Path:
    write_clock(path.with_name("real.mp4"), 4)
    path.write_text("#EXTM3U\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n")
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda d: d / "none.mp4", "no such file"),
        (lambda d: d, "no such file"),
        (lambda d: truncate(write_clock(d / "w.mp4", 4), d / "a.mp4", 0), "empty"),
        (lambda d: truncate(write_clock(d / "w.mp4", 96), d / "a.mp4", 0.5), "cut|invalid data"),
        (lambda d: write_text(d / "a.mp4"), "invalid data"),
        (lambda d: write_playlist(d / "a.m3u8"), "not a video"),
        (lambda d: write_silence(d / "a.mp4"), "no video stream"),
        (lambda d: write_clock(d / "a.mp4", container_options=SEALED), "encrypted; decrypt"),
    ],
    ids=["missing", "folder", "empty", "no index", "text", "playlist", "audio only", "encrypted"],
)
def test_a_file_that_is_not_a_video_is_a_video_error_of_one_line(
    tmp_path: Path, decoder: PyavDecoder, make: object, reason: str
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    for attempt in (lambda: decoder.probe(path), lambda: decoder.read(path, [0], SIZE)):
        with pytest.raises(VideoError, match=reason) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


def test_the_digest_is_that_of_the_content(tmp_path: Path, decoder: PyavDecoder) -> None:
    path = write_clock(tmp_path / "a.mp4", 6)
    copy = tmp_path / "b.mp4"
    copy.write_bytes(path.read_bytes())
    other = write_clock(tmp_path / "c.mp4", 7)
    assert decoder.probe(path).digest == decoder.probe(copy).digest
    assert decoder.probe(path).digest != decoder.probe(other).digest
