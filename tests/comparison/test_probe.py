"""Probes: a model that looks passes, and every blind predictor fails, beside its floors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.probe_case import SAMPLES, Predictor, oracle, probes, run
from vtg_eval.comparison.probe import compare_probe
from vtg_eval.comparison.probe_figures import ProbeComparison
from vtg_eval.errors import UserError
from vtg_eval.report.probe_tables import probe_report
from vtg_eval.scoring.blind import RANDOM, WHOLE_VIDEO, constant_span
from vtg_eval.types import Sample, Span

# Each span within a grid of half seconds, as frames give it.
GRID = 0.5


def on_the_grid(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer with the ground truth, rounded outwards to the frames."""
    return [
        span and Span(span.start // GRID * GRID, -(-span.end // GRID) * GRID)
        for span in oracle(asked)
    ]


def first_seconds(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer the same seconds everywhere, other ones for each query."""
    return [Span(3.0 + len(one.query) % 5, 9.0) for one in asked]


def from_the_end(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer seconds that are counted from the end of the video."""
    return [Span((one.duration or 0.0) - 9.0, (one.duration or 0.0) - 4.0) for one in asked]


def whole_video(asked: Sequence[Sample]) -> list[Span | None]:
    return list(WHOLE_VIDEO.spans(asked))


def constant(asked: Sequence[Sample]) -> list[Span | None]:
    return list(constant_span((0.2, 0.75)).spans(asked))


def symmetric(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer the middle, which reversal does not move."""
    return list(constant_span((0.25, 0.75)).spans(asked))


def drawn(asked: Sequence[Sample]) -> list[Span | None]:
    return list(RANDOM.spans(asked))


def by_query(asked: Sequence[Sample]) -> list[Span | None]:
    """Answer a fraction of the duration that the query alone decides."""
    spans: list[Span | None] = []
    for one in asked:
        start = sum(map(ord, one.query)) % 8 / 10
        duration = one.duration or 0.0
        spans.append(Span(start * duration, (start + 0.2) * duration))
    return spans


def silent(asked: Sequence[Sample]) -> list[Span | None]:
    return [None] * len(asked)


BLIND = (first_seconds, whole_video, constant, symmetric, drawn, by_query, silent)


def probe(predictor: Predictor) -> ProbeComparison:
    return compare_probe(run(predictor), probes(predictor))


def test_an_oracle_moves_with_every_video_without_error() -> None:
    result = probe(oracle)
    assert len(result.moved) == 6
    for row in result.moved:
        assert row.moved.value == 100.0
        assert row.error.value == pytest.approx(0.0, abs=1e-6)
        assert row.iou.value == pytest.approx(100.0)
        assert (row.score_before.value, row.score_change.value) == pytest.approx((100.0, 0.0))
        assert row.both_answered == row.samples
    every = result.every_one
    assert every is not None
    assert (every.moved.value, every.blind) == (100.0, 0.0)
    assert every.transformations == (
        "prepend:50%",
        "append:50%",
        "trim:25%",
        "speed:0.5",
        "speed:2",
    )
    assert (every.above_blind.low or 0.0) > 75


def test_an_oracle_on_the_frames_has_an_error_within_their_grid() -> None:
    for row in probe(on_the_grid).moved:
        assert row.moved.value == 100.0
        factor = 2.0 if row.transformation == "speed:0.5" else 1.0
        assert (row.error.value or 0.0) <= GRID * factor


def test_only_an_answer_that_looks_is_above_blind() -> None:
    by_name = {row.transformation: row for row in probe(oracle).moved}
    for name in ("prepend:50%", "trim:25%", "reverse"):
        assert (by_name[name].above_blind.low or 0.0) > 50, name
    for name in ("append:50%", "speed:0.5", "speed:2"):
        assert by_name[name].blind.moved == 100.0
        assert by_name[name].above_blind.value is None, name  # proves nothing


@pytest.mark.parametrize("predictor", BLIND, ids=lambda predictor: predictor.__name__)
def test_a_blind_predictor_fails(predictor: Predictor) -> None:
    result = probe(predictor)
    for row in result.moved:
        assert row.moved.value is not None
        assert row.moved.value <= row.blind.moved, row.transformation
        assert row.above_blind.value is None or row.above_blind.value <= 0.0, row.transformation
    every = result.every_one
    assert every is not None
    assert every.moved.value == every.blind == 0.0
    assert (every.above_blind.high or 0.0) < 10
    prepended = result.moved[0]
    assert prepended.transformation == "prepend:50%"
    assert (prepended.moved.value or 0.0) <= 5.0  # at the very end of the video
    if predictor is not silent:
        assert (prepended.error.value or 0.0) > 5
        for no_moment in result.no_moment:
            if no_moment.transformation == "absent" and predictor in (first_seconds, by_query):
                continue  # they answer by the query
            assert no_moment.unchanged.value == 100.0
            assert (no_moment.by_chance.value or 0.0) <= 100.0


def test_no_blind_rule_follows_every_transformation() -> None:
    """Counting from the end passes where something is put before; what is put after shows it."""
    result = probe(from_the_end)
    by_name = {row.transformation: row for row in result.moved}
    assert by_name["prepend:50%"].moved.value == 100.0
    assert by_name["append:50%"].moved.value == 0.0
    assert result.every_one is not None
    assert result.every_one.moved.value == 0.0


@pytest.mark.parametrize("predictor", [oracle, drawn, constant])
def test_the_floors_stand_beside_the_figures(predictor: Predictor) -> None:
    result = probe(predictor)
    assert result.every_one is not None
    for floors in (result.every_one.floors, *(row.floors for row in result.moved)):
        assert {"whole video", "random"} <= floors.keys()
        assert all(floor.above_blind <= 0 for floor in floors.values())
    assert all(floor.moved == 0 for floor in result.every_one.floors.values())
    shares = {row.transformation: row.moved.value for row in probe(whole_video).moved}
    assert {row.transformation: row.floors["whole video"].moved for row in result.moved} == shares
    assert (
        shares["speed:2"] == shares["reverse"] == 100.0
    )  # why `above blind` is the figure to read


def test_a_model_that_looks_says_never_or_changes_its_answer() -> None:
    swap, absent = probe(oracle).no_moment
    for row in (swap, absent):
        assert (row.never_before.value, row.never.value) == (0.0, 100.0)
        assert row.unchanged.value == 0.0
        assert row.with_span == row.samples
    swap, _ = probe(silent).no_moment
    assert (swap.never.value, swap.never_change.value) == (100.0, 0.0)
    assert (swap.with_span, swap.unchanged.value) == (0, None)


def half(predictor: Predictor) -> Predictor:
    """Look at the videos with an even number only."""

    def spans(asked: Sequence[Sample]) -> list[Span | None]:
        looked, blind = oracle(asked), predictor(asked)
        return [
            one if int(sample.video[1:]) % 2 else other
            for sample, one, other in zip(asked, looked, blind, strict=True)
        ]

    return spans


def test_intervals_contain_the_figures_and_are_over_videos() -> None:
    result = probe(half(by_query))
    estimates = [e for row in result.moved for e in (row.moved, row.iou, row.error, row.score)]
    estimates += [row.unchanged for row in result.no_moment]
    for estimate in estimates:
        low, value, high = estimate.low, estimate.value, estimate.high
        assert low is not None
        assert value is not None
        assert high is not None
        assert low <= value <= high
    first = result.moved[0]
    assert (first.moved.value, first.videos) == (50.0, 40)
    # two samples a video, alike: as wide as 40 samples, not as 80 (about 11)
    assert (first.moved.high or 0.0) - (first.moved.low or 0.0) > 25


def test_answers_that_are_missing_have_not_moved() -> None:
    original, moved = run(oracle), run(oracle, "prepend:50%")
    kept = dict(list(moved.records.items())[::2])
    (row,) = compare_probe(original, [replace(moved, records=kept)]).moved
    assert row.moved.value == pytest.approx(100 * len(kept) / row.samples)
    assert row.both_answered == len(kept)
    assert row.error.value == pytest.approx(0.0)


def test_only_common_samples_are_compared() -> None:
    original, moved = run(oracle, asked=SAMPLES[:10]), run(oracle, "prepend:50%")
    limited = replace(moved, spec=replace(moved.spec, limit=80))
    (row,) = compare_probe(original, [limited]).moved
    assert (row.samples, row.moved.value) == (10, 100.0)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["", ""], "Name one original run first"),
        (["reverse", "swap"], "The first run is a transformed one (reverse)"),
        (["", "swap", "swap"], "Two runs have the transformation swap"),
        ([""], "Name transformed runs after the original one"),
    ],
)
def test_runs_that_are_no_probe_are_refused(texts: list[str], message: str) -> None:
    first, *others = (run(oracle, text) for text in texts)
    with pytest.raises(UserError) as error:
        compare_probe(first, others)
    assert message in str(error.value)


def test_runs_of_another_model_are_refused() -> None:
    other = run(oracle, "swap")
    other = replace(other, spec=replace(other.spec, checkpoint="d", seed=7))
    with pytest.raises(UserError, match=r"they differ in checkpoint .*, seed"):
        compare_probe(run(oracle), [other])


def test_the_report_is_at_most_eighty_columns_wide() -> None:
    text = probe_report(probe(half(by_query)))
    assert max(map(len, text.splitlines())) <= 80
    assert "| prepend:50%" in text
    assert "| whole video " in text
    assert "fewer than 30 videos" not in text
    assert "79 of 80 samples (no room to cut 1): trim:25%" in text


def test_few_videos_are_mentioned() -> None:
    few = SAMPLES[:8]
    result = compare_probe(run(oracle, asked=few), [run(oracle, "reverse", few)])
    assert result.every_one is None
    assert "fewer than 30 videos: the intervals are rough" in probe_report(result)


def test_a_probe_is_plain_json() -> None:
    table = json.loads(json.dumps(probe(drawn).to_json(), allow_nan=False))
    assert table["moved"][0]["transformation"] == "prepend:50%"
    assert table["format"] == 1
