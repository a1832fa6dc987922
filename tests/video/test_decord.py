"""The decord decoder: the same interface, the times that decord reports."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.video_files import read_clock, write_clock, write_silence
from vtg_eval.errors import UserError, VideoError
from vtg_eval.video import decord
from vtg_eval.video.decord import DecordDecoder


def test_without_decord_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(UserError, match=r"extra decord"):
        DecordDecoder()


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001)])
def test_frames_and_times_of_a_plain_file(tmp_path: Path, rate: Fraction) -> None:
    pytest.importorskip("decord", reason="needs the extra decord")
    path = write_clock(tmp_path / "a.mp4", 48, rate)
    decoder = DecordDecoder()
    info = decoder.probe(path)
    np.testing.assert_allclose(info.times, [float(k / rate) for k in range(48)], atol=1e-6)
    assert info.fps == pytest.approx(float(rate))
    assert (info.height, info.width) == (64, 96)
    indices = [*range(0, 48, 2), 47, 47]
    array, times = decoder.read(path, indices, (48, 64))
    assert [read_clock(picture) for picture in array] == indices
    np.testing.assert_array_equal(times, info.times[indices])


def test_a_file_that_is_not_a_video_is_a_video_error_of_one_line(tmp_path: Path) -> None:
    pytest.importorskip("decord", reason="needs the extra decord")
    text = tmp_path / "text.mp4"
    text.write_text("not a video\n" * 100)
    for path in (tmp_path / "none.mp4", text, write_silence(tmp_path / "audio.mp4")):
        with pytest.raises(VideoError) as caught:
            DecordDecoder().probe(path)
        assert "\n" not in str(caught.value)


@pytest.fixture
def decoder() -> DecordDecoder:
    pytest.importorskip("decord", reason="needs the extra decord")
    return DecordDecoder()


def test_a_playlist_is_refused(tmp_path: Path, decoder: DecordDecoder) -> None:
    write_clock(tmp_path / "secret.ts", 8)
    path = tmp_path / "a.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n")
    for attempt in (lambda: decoder.probe(path), lambda: decoder.read(path, [0], (8, 8))):
        with pytest.raises(VideoError, match="playlist"):
            attempt()


def test_a_file_that_aborts_decord_costs_itself_only(
    tmp_path: Path, decoder: DecordDecoder
) -> None:
    good = write_clock(tmp_path / "good.mp4", 48)
    content = good.read_bytes()
    at = content.index(b"stts") + 12  # for how many frames the first duration holds
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(content[:at] + b"\x7f\xff\xff\xff" + content[at + 4 :])
    with pytest.raises(VideoError, match=r"bad\.mp4: decord: its process died"):
        decoder.probe(bad)
    assert len(decoder.probe(good).times) == 48


def test_a_silent_process_is_given_up(
    tmp_path: Path, decoder: DecordDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clock(tmp_path / "a.mp4", 8)
    monkeypatch.setattr(decord, "PATIENCE", 0.3)
    monkeypatch.setattr(decord, "WORKER", (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(VideoError, match="was silent"):
        decoder.probe(path)


def test_threads_have_processes_of_their_own(tmp_path: Path, decoder: DecordDecoder) -> None:
    paths = [write_clock(tmp_path / f"{count}.mp4", count) for count in range(20, 28)]

    def last_clock(path: Path) -> int:
        count = len(decoder.probe(path).times)
        return read_clock(decoder.read(path, [count - 1], (48, 64))[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(last_clock, paths)) == [*range(19, 27)]
