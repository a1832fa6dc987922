"""Edit lists: laws of cutting, speed and direction; which frame is on display when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vtg_eval.video.edit_list import (
    EditList,
    Part,
    at_speed,
    backwards,
    cut,
    edited,
    length,
)
from vtg_eval.video.frames import VideoInfo

# multiples of 1/64 s: their sums are exact, so that laws hold to the last bit
sixtyfourths = st.integers(1, 64 * 60).map(lambda number: number / 64)


@st.composite
def part(draw: st.DrawFn, video: str = "v") -> Part:
    start = draw(st.integers(0, 64 * 20)) / 64
    speed = draw(st.sampled_from([0.5, 1.0, 2.0]))
    return Part(video, start, start + draw(sixtyfourths), speed, draw(st.booleans()))


edit_lists = st.lists(part(), min_size=1, max_size=4).map(tuple)


@given(edit_lists)
def test_all_of_it_is_itself(parts: EditList) -> None:
    assert cut(parts, 0.0, length(parts)) == parts


@given(edit_lists)
def test_backwards_twice_and_half_speed_twice_as_fast_are_itself(parts: EditList) -> None:
    assert backwards(backwards(parts)) == parts
    assert at_speed(at_speed(parts, 0.5), 2.0) == parts
    assert length(at_speed(parts, 2.0)) == length(parts) / 2


@given(edit_lists, edit_lists)
def test_what_was_put_before_is_cut_off_again(parts: EditList, added: EditList) -> None:
    joined = (*added, *parts)
    assert cut(joined, length(added), length(joined)) == parts
    assert cut(joined, 0.0, length(added)) == added


@given(edit_lists, st.data())
def test_two_cuts_are_one(parts: EditList, data: st.DataObject) -> None:
    last = int(length(parts) * 64)
    times = st.integers(0, last).map(lambda number: number / 64)
    start, middle, end = sorted(data.draw(st.tuples(times, times, times)))
    assert length(cut(parts, start, end)) == end - start
    assert cut(cut(parts, start, end), middle - start, end - start) == cut(parts, middle, end)
    assert length((*cut(parts, 0, middle), *cut(parts, middle, length(parts)))) == length(parts)


def info(times: Sequence[float], duration: float) -> VideoInfo:
    return VideoInfo("d", duration, len(times) / duration, 48, 64, np.array(times, np.float64))


@st.composite
def videos(draw: st.DrawFn) -> VideoInfo:
    steps = draw(st.lists(st.integers(1, 128), min_size=2, max_size=40))
    ends = np.cumsum(steps) / 64
    return info([0.0, *ends[:-1]], float(ends[-1]))


@given(videos())
def test_a_whole_file_is_shown_as_it_is(video: VideoInfo) -> None:
    shown = edited((Part("v", 0.0, video.duration),), {"v": video}, "v")
    assert shown.info.times.tolist() == video.times.tolist()
    assert shown.info.duration == video.duration
    assert shown.indices.tolist() == list(range(len(video.times)))


def on_display(times: np.ndarray, time: float) -> int:
    return int(np.searchsorted(times, time, side="right")) - 1


@given(videos(), edit_lists, st.data())
def test_the_frame_on_display_is_that_of_the_file_at_that_time(
    video: VideoInfo, parts: EditList, data: st.DataObject
) -> None:
    """At every moment the part's place in the file says which frame it must be."""
    shown = edited(parts, {"v": video}, "v")
    assert np.all(np.diff(shown.info.times) >= 0)
    number = data.draw(st.integers(0, len(parts) - 1))
    one = parts[number]
    within = data.draw(st.floats(0.001, 0.999)) * one.length
    in_file = one.end - within * one.speed if one.backwards else one.start + within * one.speed
    assume(np.abs(video.times - in_file).min() > 1e-4)  # the instant of a change may be either
    row = on_display(shown.info.times, length(parts[:number]) + within)
    assert shown.parts[row] == number
    assert shown.indices[row] == max(on_display(video.times, in_file), 0)


def test_a_part_beyond_the_file_shows_its_last_frame() -> None:
    video = info([0.0, 1.0, 2.0], 3.0)
    shown = edited((Part("v", 2.0, 9.0), Part("v", 5.0, 6.0)), {"v": video}, "v")
    assert shown.indices.tolist() == [2, 2]
    assert shown.info.times.tolist() == [0.0, 7.0]
    assert shown.info.duration == 8.0


def test_frames_of_several_files_have_the_size_of_one() -> None:
    small = VideoInfo("a", 2.0, 1.0, 10, 20, np.array([0.0, 1.0]))
    large = VideoInfo("b", 2.0, 1.0, 100, 200, np.array([0.0, 1.0]))
    parts = (Part("a", 0.0, 1.0), Part("b", 0.0, 2.0))
    shown = edited(parts, {"a": small, "b": large}, "b")
    assert (shown.info.height, shown.info.width) == (100, 200)
    assert shown.info.times.tolist() == [0.0, 1.0, 2.0]
    assert shown.info.fps == pytest.approx(1.0)
