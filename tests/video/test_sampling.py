"""Frame sampling: properties for every video, and the frame counts of qwen-vl-utils."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import choose, choose_rows, show


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


def test_fps_is_independent_of_a_variable_rate() -> None:
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
    """The expected counts are from torch 2.13 (AVX2); exact arithmetic differs by one frame."""
    rule = FrameRule(policy="fps-index", min_frames=count, max_frames=count)
    assert choose(constant(frames), rule)[rank] == index


INDEX = FrameRule(policy="fps-index", min_frames=2)

every_rule = st.one_of(rules, st.just(INDEX))
moments = st.one_of(
    st.floats(-1.0, 90.0), st.sampled_from([0.0, 0.5, 1.0, np.nan, np.inf, -np.inf])
)
clip_lists = st.lists(st.builds(Span, moments, moments), max_size=4)


def chosen(info: VideoInfo, rule: FrameRule, clips: list[Span]) -> list[int] | None:
    try:
        return choose(info, rule, clips).tolist()
    except VideoError:
        return None


@given(videos(), every_rule)
def test_one_clip_of_the_whole_video_equals_no_clip(info: VideoInfo, rule: FrameRule) -> None:
    for end in (info.duration, info.duration + 5, np.inf):
        assert chosen(info, rule, [Span(0.0, end)]) == chosen(info, rule, [])
    shown = show(info, [Span(-1.0, np.inf)])
    np.testing.assert_array_equal(shown.info.times, info.times)
    assert shown.info.duration == info.duration


@given(videos(), rules, clip_lists)
def test_only_frames_on_display_within_a_clip_are_shown(
    info: VideoInfo, rule: FrameRule, clips: list[Span]
) -> None:
    try:
        indices = choose(info, rule, clips)
    except VideoError:
        assert clips
        assert not any(min(c.end, info.duration) > max(c.start, 0.0) for c in clips)
        return
    ends = np.append(info.times[1:], info.duration)
    for index in indices.tolist():
        starts, stops = info.times[index], ends[index]
        assert not clips or any(starts < c.end and stops > c.start - 2e-6 for c in clips)


@given(videos(), clip_lists)
def test_shown_times_ascend_within_the_shown_length(info: VideoInfo, clips: list[Span]) -> None:
    try:
        shown = show(info, clips)
    except VideoError:
        return
    total = sum(clip.end - clip.start for clip in shown.clips) if clips else info.duration
    assert shown.info.duration == pytest.approx(total)
    assert np.all(np.diff(shown.info.times) >= -1e-9)
    assert shown.info.times[0] >= 0
    assert shown.info.times[-1] <= shown.info.duration
    assert len(shown.indices) == len(shown.info.times)


def test_clips_are_sampled_as_the_video_they_make_up() -> None:
    info = constant(240)  # 10 s
    clips = [Span(2.0, 3.0), Span(6.0, 7.5)]
    indices = choose(info, FrameRule(fps=2.0), clips)
    assert indices.tolist() == [48, 60, 144, 156, 168, 179]
    shown = show(info, clips)
    rows = choose_rows(shown.info, FrameRule(fps=2.0))
    assert shown.info.times[rows].tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5 - 1 / 24])
    assert shown.info.duration == 2.5
    uniform = choose(info, FrameRule(policy="uniform", max_frames=4), clips)
    assert uniform.tolist() == [55, 70, 157, 172]


def test_fps_index_counts_the_frames_within_the_clips() -> None:
    indices = choose(constant(240), INDEX, [Span(1.0, 2.0), Span(5.0, 6.0)])
    assert indices.tolist() == [24, 40, 127, 143]
    with pytest.raises(VideoError, match="too few"):
        choose(constant(240), INDEX, [Span(1.0, 1.01)])


def test_a_clip_holds_the_frames_from_its_start_up_to_its_end() -> None:
    info = constant(48)
    assert show(info, [Span(0.49, 0.58)]).indices.tolist() == [12, 13]
    assert show(info, [Span(0.5, 14 / 24)]).indices.tolist() == [12, 13]
    rounded = video(np.round(info.times, 6), 2.0)
    assert show(rounded, [Span(1 / 3, 11 / 24)]).indices.tolist() == [8, 9, 10]


def test_a_clip_between_two_frames_shows_what_is_on_display() -> None:
    info = video(np.array([0.0, 4.0, 8.0]), 12.0)
    shown = show(info, [Span(5.0, 6.0), Span(7.5, 8.5)])
    assert shown.indices.tolist() == [1, 2]
    assert shown.info.times.tolist() == [0.0, 1.5]
    late = show(video(np.array([3.0, 4.0]), 5.0), [Span(1.0, 2.0)])
    assert late.indices.tolist() == [0]
    assert late.info.times.tolist() == [1.0]


def test_clips_may_overlap_and_go_back() -> None:
    info = constant(240)
    shown = show(info, [Span(4.0, 6.0), Span(5.0, 6.0), Span(1.0, 2.0)])
    rows = choose_rows(shown.info, FrameRule(fps=1.0))
    assert shown.indices[rows].tolist() == [96, 120, 120, 24]
    assert shown.info.times[rows].tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "clips",
    [
        [Span(3.0, 3.0)],
        [Span(3.0, 2.0)],
        [Span(10.0, 12.0)],
        [Span(-2.0, 0.0)],
        [Span(np.nan, 2.0), Span(0.0, np.nan)],
    ],
)
def test_empty_clips_are_left_out_or_an_error(clips: list[Span]) -> None:
    info = constant(240)
    with pytest.raises(VideoError, match=r"none of the clips .* 10\.000 s"):
        choose(info, FrameRule(), clips)
    kept = [Span(9.0, 99.0)]
    assert show(info, clips + kept).clips == (Span(9.0, 10.0),)
