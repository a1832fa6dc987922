import json
from dataclasses import replace

import numpy as np
import pytest

from tests.grounding_case import CARD, protocol, sample, spans
from vtg_eval.comparison.compare import compare
from vtg_eval.comparison.plan_request import PlanRequest
from vtg_eval.comparison.sample_size import plan_from_figure, plan_from_runs
from vtg_eval.comparison.scored_run import ScoredRun
from vtg_eval.errors import UserError
from vtg_eval.scoring.score import score
from vtg_eval.scoring.table import Column, Derived, Table
from vtg_eval.types import Group, Prediction

VIDEOS = "0123456789abcdefghijklmnopqrstuvwxyz"
SAMPLES = tuple(
    replace(
        sample(f"{video}/{k}", (0, 10)),
        groups=(Group("half", "first" if video < "n" else "second"), Group("kind", f"k{k}")),
    )
    for video in VIDEOS
    for k in range(3)
)


def run(name, ends, samples=SAMPLES, rules=None):
    """Answer 0 to `ends(row)` seconds; the truth is 0 to 10."""
    answers = [spans(s.id, (0, ends(row))) for row, s in enumerate(samples)]
    result = score(CARD, samples, answers, rules or protocol(thresholds=(0.3, 0.5)), "test")
    return scored(name, result)


def scored(name, result, **changed):
    run = ScoredRun(
        name=name,
        model=name,
        task=result.task,
        task_version="1-A",
        split=result.split,
        protocol=result.protocol,
        samples=result.samples,
        split_size=len(result.samples),
        parsed_answers=result.parsed_answers,
        table=result.table,
    )
    return replace(run, **changed)


def rows(comparison):
    return {row.metric: row for row in comparison.metrics}


WORSE = run("worse", lambda row: 2 + row % 3)
BETTER = run("better", lambda row: 6 + row % 5)
SHORT = 2000  # resamples


def test_values_differences_and_wins_by_hand():
    few = SAMPLES[:12]
    first = run("first", lambda row: 5, few)
    second = run("second", lambda row: 8 if row < 6 else 5 if row < 9 else 2, few)
    (comparison,) = compare([first, second], resamples=SHORT)
    row = rows(comparison)["mIoU"].estimate
    assert (row.samples, row.videos) == (12, 4)
    assert row.first == pytest.approx(50)
    assert row.second == pytest.approx((6 * 80 + 3 * 50 + 3 * 20) / 12)
    assert row.difference == pytest.approx(row.second - row.first)
    assert (row.better, row.worse, row.equal) == (6, 3, 3)
    hit = rows(comparison)["R1@0.3"].estimate
    assert (hit.first, hit.second, hit.better, hit.worse) == (100, 75, 0, 3)


def estimates(comparison):
    return [row.estimate for row in (*comparison.metrics, *comparison.groups)]


def test_a_run_against_itself_is_zero_everywhere():
    (comparison,) = compare([BETTER, BETTER], resamples=SHORT)
    for estimate in estimates(comparison):
        assert (estimate.difference, estimate.error, estimate.p) == (0, 0, 1)
        assert estimate.low == -estimate.high < 0
        assert (estimate.better, estimate.worse, estimate.equal) == (0, 0, estimate.samples)
    assert {row.p_holm for row in comparison.metrics} == {1.0}
    assert comparison.changed == ()


@pytest.mark.parametrize("rule", ["mean", "least ratio"])
def test_runs_without_a_hit_have_differences_with_width(rule):
    nothing = run("nothing", lambda row: -5)
    derived = replace(nothing.table, derived={"d": Derived(("R1@0.3", "R1@0.5"), rule)})
    other = replace(nothing, table=replace(derived, headline=()))
    (comparison,) = compare([other, other], resamples=SHORT)
    assert "d" in rows(comparison)
    for name, row in rows(comparison).items():
        estimate = row.estimate
        assert (estimate.first, estimate.difference, estimate.p) == (0, 0, 1), name
        assert estimate.low == -estimate.high < 0
        assert row.minimum_detectable_effect is None


def test_swapping_the_runs_changes_every_sign():
    (one,) = compare([WORSE, BETTER], resamples=SHORT)
    (other,) = compare([BETTER, WORSE], resamples=SHORT)
    for a, b in zip(estimates(one), estimates(other), strict=True):
        assert (a.first, a.second, a.p) == (b.second, b.first, b.p)
        assert (a.difference, a.low, a.high) == (-b.difference, -b.high, -b.low)
        assert (a.better, a.worse, a.equal) == (b.worse, b.better, b.equal)
    assert [row.id for row in one.changed] == [row.id for row in other.changed]


def test_the_order_of_the_samples_does_not_matter():
    order = np.random.default_rng(0).permutation(len(SAMPLES))
    shuffled = replace(
        BETTER,
        samples=tuple(BETTER.samples[k] for k in order),
        parsed_answers=tuple(BETTER.parsed_answers[k] for k in order),
        table=Table({n: c.of(order) for n, c in BETTER.table.columns.items()}, "mIoU"),
    )
    (one,) = compare([WORSE, BETTER], resamples=SHORT)
    (other,) = compare([WORSE, shuffled], resamples=SHORT)
    assert one.to_json() == other.to_json()


def test_groups_add_up_to_the_whole():
    (comparison,) = compare([WORSE, BETTER], resamples=SHORT)
    assert [(row.grouping, row.group) for row in comparison.groups] == [
        *(("half", "first"), ("half", "second")),
        *(("kind", "k0"), ("kind", "k1"), ("kind", "k2")),
    ]
    whole = rows(comparison)["mIoU"].estimate
    for grouping in ("half", "kind"):
        parts = [row.estimate for row in comparison.groups if row.grouping == grouping]
        assert sum(part.samples for part in parts) == whole.samples
        assert sum(part.better for part in parts) == whole.better
        total = sum(part.samples * part.difference for part in parts)
        assert total / whole.samples == pytest.approx(whole.difference)


def test_the_samples_that_changed_most_come_first():
    second = run("second", lambda row: {7: 10, 9: 1, 11: 6}.get(row, 5))
    first = run("first", lambda row: 5)
    (comparison,) = compare([first, second], resamples=SHORT)
    assert [(row.id, row.first, row.second) for row in comparison.changed] == [
        (SAMPLES[7].id, 50, 100),
        (SAMPLES[9].id, 50, 10),
        (SAMPLES[11].id, 50, 60),
    ]
    changed = comparison.changed[0]
    assert changed.truth.spans == ((0, 10),)
    assert (changed.first_answer.spans, changed.second_answer.spans) == (((0, 5),), ((0, 10),))


def test_groups_and_samples_are_of_the_chosen_metric():
    (comparison,) = compare([WORSE, BETTER], metric="R1@0.5", resamples=SHORT)
    assert comparison.metric == "R1@0.5"
    assert {row.first for row in comparison.changed} == {0.0}
    with pytest.raises(UserError, match=r'"R1@0.4".*Did you mean "R1@0\.'):
        compare([WORSE, BETTER], metric="R1@0.4")


def test_only_common_samples_are_compared_with_a_remark():
    part = run("part", lambda row: 5, SAMPLES[30:])
    (comparison,) = compare([BETTER, part], resamples=SHORT)
    assert (comparison.first.samples, comparison.second.samples) == (108, 78)
    assert comparison.samples == 78
    assert any("78 samples only" in remark for remark in comparison.remarks)
    alone = run("alone", lambda row: 6 + row % 5, SAMPLES)
    expected = np.mean([min(6 + row % 5, 10) / 10 for row in range(30, 108)]) * 100
    assert rows(comparison)["mIoU"].estimate.first == pytest.approx(expected)
    assert not any("only" in remark for remark in compare([BETTER, alone])[0].remarks)


def test_samples_that_one_protocol_drops_are_left_out():
    dropping = protocol(missing="drop", thresholds=(0.3, 0.5))
    answers = [spans(s.id, (0, 5)) for s in SAMPLES[:-8]]
    first = scored("first", score(CARD, SAMPLES, answers, dropping, "test"), protocol="drops@1")
    (comparison,) = compare([first, BETTER], resamples=SHORT)
    assert rows(comparison)["mIoU"].estimate.samples == len(SAMPLES) - 8
    assert any("mIoU: 8 samples that count for one run only" in line for line in comparison.remarks)
    assert any("protocols differ (A drops@1, B test@1)" in line for line in comparison.remarks)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "other"}, "different tasks"),
        ({"split": "val"}, "different splits"),
        ({"task_version": "2-A"}, "different versions of the task"),
        ({"samples": tuple(replace(s, id=f"x{s.id}") for s in SAMPLES)}, "no sample in common"),
        ({"table": Table({"x": BETTER.table.columns["mIoU"]}, "x")}, "no metric in common"),
    ],
)
def test_runs_that_cannot_be_compared_are_an_error(changed, message):
    with pytest.raises(UserError, match=message):
        compare([WORSE, replace(BETTER, **changed)])


def test_task_versions_may_differ_in_the_interface():
    assert compare([WORSE, replace(BETTER, task_version="1-C")], resamples=SHORT)


def test_few_videos_get_a_remark():
    few = [run(name, lambda row, end=end: end, SAMPLES[:30]) for name, end in (("a", 5), ("b", 6))]
    (comparison,) = compare(few, resamples=SHORT)
    assert any("on 10 videos only" in remark for remark in comparison.remarks)
    assert not any("videos only" in r for r in compare([WORSE, BETTER], resamples=SHORT)[0].remarks)


def test_holm_is_over_all_metrics_and_runs():
    third = run("third", lambda row: 3 + row % 7)
    both = compare([WORSE, BETTER, third], resamples=SHORT)
    (alone,) = compare([WORSE, BETTER], resamples=SHORT)
    tested = sorted(row.estimate.p for comparison in both for row in comparison.metrics)
    smallest = min(row.p_holm for comparison in both for row in comparison.metrics)
    assert smallest == pytest.approx(len(tested) * tested[0])
    for one, among in zip(alone.metrics, both[0].metrics, strict=True):
        assert among.estimate == one.estimate
        assert among.p_holm >= one.p_holm


def test_derived_metrics_have_intervals_and_no_wins():
    def derived(run):
        table = replace(run.table, derived={"mean": Derived(("R1@0.3", "mIoU"))}, headline=())
        return replace(run, table=table)

    (comparison,) = compare([derived(WORSE), derived(BETTER)], resamples=SHORT)
    parts = [rows(comparison)[name].estimate for name in ("R1@0.3", "mIoU")]
    mean = rows(comparison)["mean"].estimate
    assert mean.difference == pytest.approx(sum(part.difference for part in parts) / 2)
    assert mean.low < mean.difference < mean.high
    assert 3 <= mean.degrees_of_freedom <= len(VIDEOS) - 1
    assert mean.better is None


def test_a_nan_metric_is_null():
    column = BETTER.table.columns["mIoU"]
    broken = Column(np.where(np.arange(len(SAMPLES)) == 5, np.nan, column.values), column.counted)
    table = replace(BETTER.table, columns={**BETTER.table.columns, "mIoU": broken})
    (comparison,) = compare([WORSE, replace(BETTER, table=table)], resamples=SHORT)
    row = rows(comparison)["mIoU"]
    assert (row.estimate.second, row.estimate.difference, row.p_holm) == (None, None, None)
    assert rows(comparison)["R1@0.5"].p_holm is not None
    json.dumps(comparison.to_json(), allow_nan=False)


def test_an_answer_of_never_is_compared():
    samples = (sample("0/0"), *SAMPLES[3:])
    rules = protocol(thresholds=(0.5,))
    runs = [
        scored(text, score(CARD, samples, [Prediction("0/0", text=text)], rules, "test"))
        for text in ("never", "0 - 5")
    ]
    (comparison,) = compare(runs, resamples=SHORT)
    (change,) = comparison.changed
    assert (change.truth.never, change.first_answer.never, change.second_answer.never) == (
        *(True, True),
        False,
    )


def test_a_plan_needs_the_runs_size_for_their_minimum_detectable_effect():
    (comparison,) = compare([WORSE, BETTER])
    effect = rows(comparison)["mIoU"].minimum_detectable_effect
    request = PlanRequest(samples=(len(SAMPLES), 10 * len(SAMPLES)), effects=(effect * 1.0001,))
    row = {row.metric: row for row in plan_from_runs([WORSE, BETTER], request).rows}["mIoU"]
    assert (row.needed[0].samples, row.needed[0].videos) == (len(SAMPLES), len(VIDEOS))
    assert row.effects[0] == row.minimum_detectable_effect == pytest.approx(effect)
    assert row.effects[1] < effect / 3


def test_a_plan_from_one_run_uses_its_standard_error():
    half = plan_from_runs([BETTER], PlanRequest(correlation=0.5))
    most = plan_from_runs([BETTER], PlanRequest(correlation=0.875))
    values = 100 * BETTER.table.columns["mIoU"].values.reshape(-1, 3).mean(axis=1)
    errors = {row.metric: row.error for row in half.rows}
    assert errors["mIoU"] == pytest.approx(values.std(ddof=1) / len(VIDEOS) ** 0.5, rel=0.03)
    assert most.rows[0].error == pytest.approx(half.rows[0].error / 2)
    assert "R1@0.3" not in errors  # every sample hits: no variance


def test_a_plan_without_variance_is_an_error():
    with pytest.raises(UserError, match="Nothing can be planned"):
        plan_from_runs([BETTER, BETTER], PlanRequest())


def test_a_plan_from_a_single_value_states_its_assumptions():
    plan = plan_from_figure("tiny test", SAMPLES, 50.0, PlanRequest(within=0.0))
    (row,) = plan.rows
    assert row.error == pytest.approx(100 * (2 * 0.25 * 0.5 / len(SAMPLES)) ** 0.5)
    assert "p = 0.5" in plan.assumptions[0] and "m = 3.0" in plan.assumptions[0]
