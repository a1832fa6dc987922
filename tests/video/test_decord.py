"""The decord decoder: the same interface, the times that decord reports."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.video_files import read_clock, write_clock, write_silence
from vtg_eval.errors import UserError, VideoError
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
