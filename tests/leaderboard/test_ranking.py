from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.leaderboard.published import Benchmark, SplitSize
from vtg_eval.leaderboard.ranking import Figure, Key, half_width, rank_range, separable

FIGURES = st.lists(st.builds(Figure, st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=12)


def test_wilsons_interval() -> None:
    # of 10 in 100 it is 5.5229 to 17.4366
    assert half_width(10.0, 100) == pytest.approx((17.4366 - 5.5229) / 2, abs=1e-3)
    assert half_width(0.0, 100) == pytest.approx(half_width(100.0, 100))
    assert half_width(0.0, 100) > 0


def test_figures_without_separation_share_ranks() -> None:
    figure, close, far, below = Figure(50, 2), Figure(52, 2), Figure(60, 2), Figure(40, 2)
    assert not separable(figure, close)
    assert separable(figure, far)
    ranks = rank_range(figure, [close, far, below])
    assert (ranks.first, ranks.last, ranks.of) == (2, 3, 4)
    assert str(ranks) == "2–3 of 4"
    assert str(rank_range(far, [figure, close, below])) == "1 of 4"


def test_equal_figures_share_a_rank_even_without_intervals() -> None:
    assert str(rank_range(Figure(50, 0), [Figure(50, 0), Figure(51, 0)])) == "2–3 of 3"


@given(FIGURES)
def test_a_rank_range_includes_the_rank_by_value(figures: list[Figure]) -> None:
    figure, *others = figures
    ranks = rank_range(figure, others)
    assert 1 <= ranks.first <= ranks.last <= ranks.of == len(figures)
    better = sum(other.value > figure.value for other in others)
    assert ranks.first <= 1 + better <= ranks.last


@given(FIGURES, st.floats(0, 5))
def test_a_wider_interval_never_narrows_a_rank(figures: list[Figure], extra: float) -> None:
    figure, *others = figures
    narrow = rank_range(figure, others)
    wide = rank_range(Figure(figure.value, figure.half + extra), others)
    assert wide.first <= narrow.first and narrow.last <= wide.last


def test_unspecified_accepts_all_and_is_accepted_by_none() -> None:
    stated = Key("test", "", "mIoU", "zero-shot")
    unspecified = Key("test", "", "mIoU", "unspecified")
    assert unspecified.admits(stated) and not stated.admits(unspecified)
    assert not stated.admits(Key("val", "", "mIoU", "zero-shot"))
    assert not stated.admits(Key("test", "with subtitles", "mIoU", "zero-shot"))
    assert not unspecified.admits(Key("test", "", "R1@0.5", "zero-shot"))
    assert unspecified.unspecified == ("setting",)


def test_sizes_by_split_and_metric() -> None:
    sizes = (SplitSize("test", 2700), SplitSize("test", 900, "long"), SplitSize("val", 300))
    benchmark = Benchmark("b", "B", "", "", "m", "test", ("m", "long"), ("test",), sizes=sizes)
    assert benchmark.samples("test", "m") == 2700
    assert benchmark.samples("test", "long") == 900
    assert benchmark.samples("unspecified", "m") == 300
    assert benchmark.samples("train", "m") is None
