from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.leaderboard.published import Benchmark, SplitSize
from vtg_eval.leaderboard.ranking import Figure, Key, half_width, place, separable

FIGURES = st.lists(st.builds(Figure, st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=12)


def test_wilsons_interval() -> None:
    # of 10 in 100 it is 5.5229 to 17.4366
    assert half_width(10.0, 100) == pytest.approx((17.4366 - 5.5229) / 2, abs=1e-3)
    assert half_width(0.0, 100) == pytest.approx(half_width(100.0, 100))
    assert half_width(0.0, 100) > 0


def test_figures_without_separation_share_ranks() -> None:
    own, close, far, below = Figure(50, 2), Figure(52, 2), Figure(60, 2), Figure(40, 2)
    assert not separable(own, close)
    assert separable(own, far)
    found = place(own, [close, far, below])
    assert (found.first, found.last, found.of) == (2, 3, 4)
    assert str(found) == "2–3 of 4"
    assert str(place(far, [own, close, below])) == "1 of 4"


def test_equal_figures_share_a_rank_even_without_intervals() -> None:
    assert str(place(Figure(50, 0), [Figure(50, 0), Figure(51, 0)])) == "2–3 of 3"


@given(FIGURES)
def test_ranks_are_ranks(figures: list[Figure]) -> None:
    own, *others = figures
    found = place(own, others)
    assert 1 <= found.first <= found.last <= found.of == len(figures)
    better = sum(other.value > own.value for other in others)
    assert found.first <= 1 + better <= found.last


@given(FIGURES, st.floats(0, 5))
def test_more_doubt_never_narrows_a_rank(figures: list[Figure], doubt: float) -> None:
    own, *others = figures
    sure = place(own, others)
    unsure = place(Figure(own.value, own.half + doubt), others)
    assert unsure.first <= sure.first and sure.last <= unsure.last


def test_what_is_not_said_does_not_narrow_but_keeps_out() -> None:
    said = Key("test", "", "mIoU", "zero-shot")
    unsaid = Key("test", "", "mIoU", "unspecified")
    assert unsaid.admits(said) and not said.admits(unsaid)
    assert not said.admits(Key("val", "", "mIoU", "zero-shot"))
    assert not said.admits(Key("test", "with subtitles", "mIoU", "zero-shot"))
    assert not unsaid.admits(Key("test", "", "R1@0.5", "zero-shot"))
    assert unsaid.unsaid == ("setting",)


def test_sizes_by_split_and_metric() -> None:
    sizes = (SplitSize("test", 2700), SplitSize("test", 900, "long"), SplitSize("val", 300))
    found = Benchmark("b", "B", "", "", "m", "test", ("m", "long"), ("test",), sizes=sizes)
    assert found.samples("test", "m") == 2700
    assert found.samples("test", "long") == 900
    assert found.samples("unspecified", "m") == 300
    assert found.samples("train", "m") is None
