"""Samples transformed: the moment goes with its content; what cannot be is left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD, protocol
from vtg_eval.errors import NotApplicableError
from vtg_eval.probe.transform import Transformed, TransformedSample, check_task, transform
from vtg_eval.probe.transformation import STANDARD, transformation
from vtg_eval.protocol import PromptRule
from vtg_eval.types import OutputType, Sample, Span, Target
from vtg_eval.video.edit_list import EditList, length

MOVING = [text for text in STANDARD if transformation(text).moves]


def sample(
    name: str, *spans: tuple[float, float], duration: float | None = 20.0, query: str = ""
) -> Sample:
    video = name.split("/")[0]
    target = Target(tuple(Span(*span) for span in spans))
    return Sample(name, video, query or f"event of {video}", target, duration)


@st.composite
def splits(draw: st.DrawFn) -> tuple[Sample, ...]:
    samples = []
    for video in range(draw(st.integers(2, 4))):
        duration = draw(st.integers(4 * 20, 4 * 60)) / 4
        for number in range(draw(st.integers(1, 2))):
            start = draw(st.integers(0, int(4 * duration) - 2)) / 4
            end = draw(st.integers(int(4 * start) + 1, int(4 * duration))) / 4
            samples.append(sample(f"v{video}/{number}", (start, end), duration=duration))
    return tuple(samples)


def content(parts: EditList, time: float) -> tuple[str, float]:
    """Return which video, and which second of its file, is shown at a time."""
    for part in parts:
        if time <= part.length:
            in_file = time * part.speed
            return part.video, part.end - in_file if part.backwards else part.start + in_file
        time -= part.length
    raise AssertionError(f"nothing is shown at {time} s after the end")


@pytest.mark.parametrize("text", MOVING)
@given(samples=splits(), share=st.floats(0.01, 0.99))
def test_the_moved_moment_shows_the_same_content(
    text: str, samples: Sequence[Sample], share: float
) -> None:
    originals = {one.id: one for one in samples}
    for item in transform(samples, transformation(text)).samples:
        before, after = originals[item.sample.id], item.sample
        assert after.duration == pytest.approx(length(item.parts))
        (old,), (new,) = before.target.spans, after.target.spans
        assert 0 <= new.start < new.end <= length(item.parts) + 1e-9
        assert item.time_map is not None
        assert item.time_map.span(old) == new
        time = old.start + share * (old.end - old.start)  # the moment is never cut
        video, in_file = content(item.parts, item.time_map.time(time))
        assert video == before.video
        assert in_file == pytest.approx(time, abs=1e-6)


@pytest.mark.parametrize("text", STANDARD)
@given(samples=splits())
def test_no_sample_is_lost_without_a_reason(text: str, samples: Sequence[Sample]) -> None:
    done = transform(samples, transformation(text))
    assert len(done.samples) + sum(done.left_out.values()) == len(samples)
    assert {item.sample.id for item in done.samples} <= {one.id for one in samples}
    assert transform(samples, transformation(text)) == done


TWO = (sample("a/0", (4, 8)), sample("b/0", (10, 12), duration=30.0))


def one(text: str, *samples: Sample) -> TransformedSample:
    done = transform(samples or TWO, transformation(text))
    return next(item for item in done.samples if item.sample.id == "a/0")


def left_out(text: str, *samples: Sample) -> dict[str, int]:
    return dict(transform(samples, transformation(text)).left_out)


@pytest.mark.parametrize(
    ("text", "span", "duration"),
    [
        ("prepend:5s", (9, 13), 25.0),
        ("prepend:50%", (14, 18), 30.0),
        ("append:50%", (4, 8), 30.0),
        ("trim:4s", (0, 4), 16.0),
        ("trim:5s", (4, 8), 15.0),
        ("speed:2", (2, 4), 10.0),
        ("speed:0.5", (8, 16), 40.0),
        ("reverse", (12, 16), 20.0),
    ],
)
def test_where_the_moment_is_then(text: str, span: tuple[float, float], duration: float) -> None:
    changed = one(text).sample
    assert changed.target.spans == (span,)
    assert changed.duration == duration


def test_another_video_is_shown_or_asked_about() -> None:
    swapped = one("swap")
    assert [part.video for part in swapped.parts] == ["b"]
    assert swapped.sample.video == "a"
    assert (swapped.sample.query, swapped.sample.duration) == ("event of a", 30.0)
    absent = one("absent")
    assert absent.parts == ()
    assert (absent.sample.query, absent.sample.duration) == ("event of b", 20.0)
    assert [item.sample.target for item in (swapped, absent)] == [Target(), Target()]


def test_all_occurrences_move() -> None:
    twice = sample("a/0", (4, 8), (15, 25))  # the annotation exceeds the video
    assert one("prepend:5s", twice, TWO[1]).sample.target.spans == ((9, 13), (20, 25))
    assert one("trim:4s", twice, TWO[1]).sample.target.spans == ((0, 4), (11, 16))


def test_what_cannot_be_transformed_is_left_out_and_counted() -> None:
    absent, unknown = sample("a/1"), sample("a/2", (1, 2), duration=None)
    letter = replace(sample("a/3", (1, 2)), asks=OutputType.CHOICE)
    samples = (*TWO, absent, unknown, letter)
    assert left_out("reverse", *samples) == {"no moment": 2, "no duration": 1}
    assert left_out("trim:50%", *TWO, sample("a/4", (2, 19))) == {"no room to cut": 1}
    assert left_out("prepend:50%", TWO[0]) == {"no other video": 1}
    assert left_out("prepend:25s", *TWO) == {"no other video": 1}  # b is long enough for a
    same = [replace(one, query="The same, again.") for one in TWO]
    assert left_out("swap", *same) == {"no other video": 2}
    assert left_out("absent", same[0], replace(same[1], query="the  SAME again")) == {
        "no other video": 2
    }


def test_clips_are_shown_as_they_were() -> None:
    clips = (Span(10, 14), Span(5, 3), Span(float("nan"), 9), Span(30, 99))
    clipped = replace(sample("a/0", (1, 6), duration=10.0), clips=clips)
    changed = one("prepend:5s", clipped, TWO[1])
    assert [(p.video, p.start, p.end) for p in changed.parts] == [
        ("b", 0.0, 5.0),
        ("a", 10.0, 14.0),
        ("a", 30.0, 36.0),
    ]
    assert changed.sample.clips == ()
    assert changed.sample.target.spans == ((6, 11),)


def others(done: Transformed) -> dict[str, str]:
    return {item.sample.video: item.parts[0].video for item in done.samples}


def test_the_seed_chooses_the_other_videos() -> None:
    samples = [sample(f"v{n}/0", (1, 2)) for n in range(30)]
    first, again, other = (
        others(transform(samples, transformation("swap", seed))) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert all(video != shown for video, shown in first.items())
    assert len(set(first.values())) > 10


def test_the_other_video_is_about_something_else() -> None:
    samples = [
        *(sample(f"dog{n}/0", (1, 2), query=f"a dog runs {n}") for n in range(5)),
        *(sample(f"door{n}/0", (1, 2), query=f"the door opens {n}") for n in range(5)),
    ]
    for video, shown in others(transform(samples, transformation("swap"))).items():
        assert video[:3] != shown[:3]


@pytest.mark.parametrize("family", ["choice", "segment ranks"])
def test_tasks_without_spans_in_seconds_are_refused(family: str) -> None:
    with pytest.raises(NotApplicableError, match="does not ask for spans in seconds"):
        check_task(replace(CARD, metric_family=family), protocol())


def test_subtitles_are_refused() -> None:
    shown = replace(protocol(), prompt=PromptRule(subtitles="all"))
    with pytest.raises(NotApplicableError, match="subtitles, which a probe does not move"):
        check_task(CARD, shown)
