"""Wrong labels on purpose: as many as asked for, elsewhere in the same video."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.label_noise import with_label_noise
from vtg_eval.training.data.sample import TrainingSample

from vtg_eval.types import Span

DURATION = 30.0
SAMPLES = tuple(
    TrainingSample(f"s{n}", "a.mp4", "it", (Span(n / 10, n / 10 + 2),), "test", duration=DURATION)
    for n in range(50)
)


@given(st.floats(0, 1))
def test_the_share_is_moved_and_stays_in_the_video(share: float) -> None:
    found = with_label_noise(SAMPLES, share)
    moved = [(a, b) for a, b in zip(SAMPLES, found, strict=True) if a != b]
    assert len(moved) == round(share * len(SAMPLES))
    for before, after in moved:
        (start, end) = after.spans[0]
        assert abs((end - start) - 2) < 1e-9
        assert start >= 0 and end <= DURATION + 1e-9
        assert (after.id, after.query, after.video) == (before.id, before.query, before.video)


def test_which_are_wrong_does_not_depend_on_their_order() -> None:
    forwards, backwards = with_label_noise(SAMPLES, 0.4), with_label_noise(SAMPLES[::-1], 0.4)
    assert forwards == backwards[::-1]


def test_a_larger_share_keeps_the_wrong_labels_of_a_smaller_one() -> None:
    few, many = with_label_noise(SAMPLES, 0.2), with_label_noise(SAMPLES, 0.6)
    assert all(b == c for a, b, c in zip(SAMPLES, few, many, strict=True) if a != b)


def test_what_has_no_moment_or_no_known_length_is_left() -> None:
    odd = (
        TrainingSample("q", "a.mp4", "what?", (), "test", options=("x", "y"), choice="B"),
        TrainingSample("n", "a.mp4", "it", (Span(0, 1),), "test"),
    )
    assert with_label_noise(odd, 1.0) == odd
