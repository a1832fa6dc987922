"""Sampling policies: laws that hold for every video, and qwen-vl-utils' own figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import choose


def video(times: np.ndarray, duration: float, fps: float = 24.0) -> VideoInfo:
    return VideoInfo("0" * 64, duration, fps, 64, 96, np.asarray(times, dtype=np.float64))


def constant(count: int, fps: float = 24.0) -> VideoInfo:
    return video(np.arange(count) / fps, count / fps, fps)


@st.composite
def videos(draw: st.DrawFn) -> VideoInfo:
    steps = draw(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=80))
    ends = np.cumsum(steps)
    return video(np.concatenate([[0.0], ends[:-1]]), float(ends[-1]), len(steps) / ends[-1])


rules = st.builds(
    FrameRule,
    policy=st.sampled_from(["fps", "uniform"]),
    fps=st.sampled_from([0.5, 1.0, 2.0, 3.0]),
    min_frames=st.integers(1, 12),
    max_frames=st.integers(2, 40),
)


@given(videos(), rules)
def test_indices_are_ascending_even_in_number_and_within_the_caps(
    info: VideoInfo, rule: FrameRule
) -> None:
    indices = choose(info, rule)
    assert indices.dtype == np.int64
    assert len(indices) % 2 == 0
    assert 2 <= len(indices) <= rule.max_frames
    assert len(indices) >= min(rule.min_frames, rule.max_frames // 2 * 2)
    assert np.all(np.diff(indices) >= 0)
    assert 0 <= indices[0] <= indices[-1] < len(info.times)


@given(videos())
def test_fps_shows_what_is_on_display_at_each_target(info: VideoInfo) -> None:
    indices = choose(info, FrameRule(fps=2.0, min_frames=2, max_frames=10_000))
    for number, index in enumerate(indices):
        assert info.times[index] <= number / 2 + 1e-6
        later = info.times[index + 1 :]
        assert not len(later) or later[0] > number / 2


def test_fps_on_constant_rate() -> None:
    assert choose(constant(240), FrameRule(fps=2.0)).tolist() == list(range(0, 240, 12))


def test_fps_of_an_odd_number_of_targets_adds_the_last_frame() -> None:
    assert choose(constant(60), FrameRule(fps=2.0)).tolist() == [0, 12, 24, 36, 48, 59]


def test_fps_does_not_care_about_a_variable_rate() -> None:
    info = video(np.array([0.0, 0.1, 0.2, 1.9, 2.4]), 3.0)
    assert choose(info, FrameRule(fps=2.0)).tolist() == [0, 2, 2, 2, 3, 4]


def test_too_many_targets_are_spread_over_the_whole_video() -> None:
    indices = choose(constant(2400), FrameRule(fps=2.0, max_frames=9))
    assert indices.tolist() == [300 * k for k in range(8)]


def test_too_few_targets_are_spread_too_and_repeat_on_one_frame() -> None:
    assert choose(constant(24), FrameRule(fps=2.0, min_frames=4)).tolist() == [0, 6, 12, 18]
    assert choose(constant(1), FrameRule(fps=2.0, min_frames=4)).tolist() == [0, 0, 0, 0]


def test_a_stream_that_starts_late_shows_its_first_frame_before() -> None:
    info = video(np.array([0.7, 1.0, 1.5]), 2.0)
    assert choose(info, FrameRule(fps=2.0)).tolist() == [0, 0, 1, 2]


def test_uniform_takes_the_middle_of_each_part() -> None:
    rule = FrameRule(policy="uniform", max_frames=4)
    assert choose(constant(240), rule).tolist() == [30, 90, 150, 210]


# (frames, average rate, min, max) -> number of frames, from qwen-vl-utils 0.0.14's smart_nframes
SMART = [
    ((240, 24.0, 4, 768), 20),
    ((241, 24.0, 4, 768), 20),
    ((252, 24.0, 4, 768), 20),
    ((263, 24.0, 4, 768), 20),
    ((264, 24.0, 4, 768), 22),
    ((899, 29.97, 4, 768), 58),
    ((10, 30.0, 5, 768), 6),
    ((5, 30.0, 4, 768), 4),
    ((3, 30.0, 4, 768), 2),
    ((2, 30.0, 4, 768), 2),
    ((50, 1.0, 4, 768), 50),
    ((51, 1.0, 4, 768), 50),
    ((40000, 30.0, 4, 767), 766),
]


@pytest.mark.parametrize(("case", "expected"), SMART)
def test_fps_index_counts_as_qwen_vl_utils(
    case: tuple[int, float, int, int], expected: int
) -> None:
    frames, fps, least, most = case
    rule = FrameRule(policy="fps-index", min_frames=least, max_frames=most)
    indices = choose(constant(frames, fps), rule)
    assert len(indices) == expected
    assert (indices[0], indices[-1]) == (0, frames - 1)


def test_fps_index_needs_two_frames() -> None:
    with pytest.raises(VideoError, match="too few"):
        choose(constant(1), FrameRule(policy="fps-index"))


@pytest.mark.parametrize(
    ("frames", "count", "rank", "index"),
    [(22397, 720, 635, 19780), (28753, 684, 564, 23742), (35799, 612, 398, 23318)],
)
def test_fps_index_settles_ties_as_pytorch_does(
    frames: int, count: int, rank: int, index: int
) -> None:
    """Exact arithmetic gives a frame more or less here; the figures are torch 2.13's (AVX2)."""
    rule = FrameRule(policy="fps-index", min_frames=count, max_frames=count)
    assert choose(constant(frames), rule)[rank] == index
