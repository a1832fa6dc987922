"""Selection by difficulty."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.sample import Difficulty, TrainingSample
from vtg_eval.training.data.selection import (
    constant,
    gaussian_weights,
    inverse_weights,
    pass_rate,
    rollout_weights,
    select_samples,
    weighted_sample,
)
from vtg_eval.training.recipe import SelectionRule

from vtg_eval.errors import UserError
from vtg_eval.types import Span

means = st.lists(st.floats(0, 1), max_size=40).map(lambda xs: np.array(xs, dtype=np.float64))
powers = st.floats(0, 4)
rules = st.builds(
    SelectionRule,
    method=st.sampled_from(["all", "gaussian", "inverse", "weighted"]),
    deviation_power=powers,
    weighed=st.sampled_from(["iou", "reward"]),
    pass_rate=st.sampled_from([(0.0, 1.0), (0.0, 0.5), (0.25, 0.75)]),
    pass_iou=st.sampled_from([0.3, 0.5]),
    mean=st.floats(0, 1),
    deviation=st.floats(1e-3, 1),
    power=st.floats(0, 4),
    mean_iou=st.sampled_from([(0.0, 1.0), (0.2, 0.7)]),
    drop_constant=st.booleans(),
    curriculum=st.booleans(),
    size=st.integers(0, 50),
    seed=st.integers(0, 3),
)


def sample(name, *ious):
    """A sample whose rollouts have these IoUs, and rewards of twice as much."""
    difficulty = None
    if ious:
        mean, deviation = float(np.mean(ious)), float(np.std(ious))
        rewards = tuple(2 * iou for iou in ious)
        difficulty = Difficulty(mean, deviation, rewards=rewards, ious=ious)
    return TrainingSample(name, "v.mp4", "q", (Span(0, 1),), "s", difficulty=difficulty)


rated = st.lists(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.9, 1.0]), min_size=2, max_size=4), max_size=25
).map(lambda groups: [sample(f"{n}", *group) for n, group in enumerate(groups)])


def inside(value, window):
    return window[0] <= value <= window[1]


def allowed(one, rule):
    difficulty = one.difficulty
    return (
        inside(difficulty.mean_iou, rule.mean_iou)
        and inside(pass_rate(difficulty, rule.pass_iou), rule.pass_rate)
        and not (rule.drop_constant and len(set(difficulty.rewards)) == 1)
    )


@given(rated, rules)
def test_what_is_selected_is_allowed_distinct_and_counted(samples, rule):
    passing = [one for one in samples if allowed(one, rule)]
    try:
        selected = select_samples(samples, rule)
    except UserError:
        # no window lets any through, or those that it does let through have no weight
        assert not passing or rule.method != "all"
        return
    chosen = selected.samples
    assert len(set(chosen)) == len(chosen) <= (rule.size or len(samples))
    assert set(chosen) <= set(passing)
    if rule.method in ("all", "weighted"):  # no weight is 0
        assert len(chosen) == min(rule.size or len(passing), len(passing))
    assert select_samples(samples, rule) == selected
    assert selected.candidates == tuple(samples)
    reached = len(samples)
    for step in selected.report:
        assert step.reached == reached
        reached -= step.dropped
    assert reached == len(chosen)
    if rule.curriculum:
        means = [one.difficulty.mean_iou for one in chosen]
        assert means == sorted(means, reverse=True)
    else:
        assert list(chosen) == [one for one in samples if one in chosen]


def test_each_rule_is_counted_by_name():
    samples = [
        sample("never", 0.0, 0.0, 0.0, 0.0),
        sample("hard", 0.1, 0.2, 0.5, 0.2),
        sample("even", 0.4, 0.4, 0.4, 0.4),
        sample("easy", 0.9, 0.2, 0.9, 0.8),
        sample("always", 1.0, 1.0, 0.9, 0.9),
    ]
    rule = SelectionRule(
        mean_iou=(0.05, 0.9), pass_rate=(0.0, 0.75), drop_constant=True, size=1, seed=1
    )
    selected = select_samples(samples, rule)
    assert [(d.filter, d.reached, d.dropped) for d in selected.report] == [
        ("mean IoU, 0.05 to 0.9", 5, 2),
        ("pass rate at IoU 0.5, 0 to 0.75", 3, 0),
        ("constant rewards", 3, 1),
        ('method "all", size 1', 2, 1),
    ]
    assert selected.report[0].first == ("never", "always")
    harder = SelectionRule(pass_rate=(0.25, 0.75), pass_iou=0.5)
    assert [s.id for s in select_samples(samples, harder).samples] == ["hard", "easy"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 1), st.floats(0, 1))
def test_fewer_rollouts_pass_a_higher_iou(ious, low, high):
    low, high = sorted((low, high))
    difficulty = Difficulty(float(np.mean(ious)), ious=tuple(ious))
    assert 0 <= pass_rate(difficulty, high) <= pass_rate(difficulty, low) <= 1
    assert pass_rate(difficulty, 0.0) == 1


@given(st.lists(st.floats(-1, 3), min_size=2, max_size=20), powers, powers)
def test_weights_rise_with_the_deviation_and_fall_with_the_mean(figures, power, deviation_power):
    rising = np.sort(figures)
    same = np.full(len(figures), 0.25)
    assert (np.diff(rollout_weights(rising, same, power, deviation_power)) <= 0).all()
    deviations = np.abs(rising)
    order = np.argsort(deviations)
    values = rollout_weights(same, deviations, power, deviation_power)
    assert (np.diff(values[order]) >= 0).all()
    assert (values > 0).all()


def test_weights_by_rollouts_are_those_of_the_formula():
    values = rollout_weights(np.array([0.5, 1.0, 2.0]), np.array([0.2, 0.1, 0.1]), 2.0, 1.0)
    assert values == pytest.approx([0.2 * 0.25, 0.0, 0.0], rel=1e-4, abs=1e-10)
    plain = rollout_weights(np.array([0.25]), np.array([0.0]), 2.0, 0.0)  # TimeLens2's powers
    assert plain == pytest.approx([0.5625], rel=1e-5)


def test_rewards_or_ious_are_weighed():
    """Rewards of twice the IoU: a mean IoU of 0.5 is a mean reward of 1, which weighs nothing."""
    samples = [sample("half", 0.4, 0.6), *(sample(f"{n}", 0.1, 0.3) for n in range(3))]
    count = {
        weighed: sum(
            select_samples(samples, SelectionRule("weighted", weighed=weighed, size=1, seed=seed))
            .samples[0]
            .id
            == "half"
            for seed in range(200)
        )
        for weighed in ("iou", "reward")
    }
    assert count["reward"] == 0
    assert count["iou"] > 10


@given(means, st.floats(0, 4))
def test_harder_samples_weigh_no_less(values, power):
    values = np.sort(values)
    assert (np.diff(inverse_weights(values, power)) <= 0).all()


@given(means.filter(len), st.floats(0, 1), st.floats(0.05, 1))
def test_within_a_bin_nearer_to_the_mean_weighs_more(values, mean, deviation):
    densities = gaussian_weights(values, mean, deviation)
    bins = np.clip((values * 20).astype(int), 0, 19)
    for index in set(bins.tolist()):
        inside = bins == index
        order = np.argsort(np.abs(values[inside] - mean))
        assert (np.diff(densities[inside][order]) <= 1e-12).all()


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), max_size=20), st.integers(0, 9))
def test_a_smaller_draw_is_part_of_a_larger_one_and_nothing_of_weight_0_is_drawn(values, seed):
    array = np.array(values)
    full = weighted_sample(array, len(values), seed).tolist()
    assert sorted(full) == np.flatnonzero(array > 0).tolist()
    assert [weighted_sample(array, k, seed).tolist() for k in range(len(full))] == [
        full[:k] for k in range(len(full))
    ]


def test_one_draw_follows_the_weights():
    first = [int(weighted_sample(np.array([1.0, 2.0, 7.0]), 1, seed)[0]) for seed in range(4000)]
    shares = np.bincount(first, minlength=3) / 4000
    assert shares == pytest.approx([0.1, 0.2, 0.7], abs=0.03)


@pytest.mark.parametrize("target", [0.2, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_the_gaussian_selection_has_the_targets_mean_whatever_the_data(target, slope):
    values = np.random.default_rng(7).random(20_000) ** slope  # many easy, or many hard
    rule = SelectionRule(method="gaussian", mean=target, deviation=0.06, size=600)
    samples = [
        TrainingSample(f"{n}", "v", "q", (), "s", difficulty=Difficulty(value))
        for n, value in enumerate(values.tolist())
    ]
    chosen = np.array([s.difficulty.mean_iou for s in select_samples(samples, rule).samples])
    assert chosen.mean() == pytest.approx(target, abs=0.02)
    assert chosen.std() == pytest.approx(0.06, abs=0.02)


def test_a_group_is_constant_when_all_of_several_rewards_are_the_same():
    assert constant([(0.5, 0.5), (0.5, 0.6), (0.5,), (), (0.1 + 0.2, 0.3)]).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_samples_are_chosen_by_what_is_stored_with_them():
    samples = [
        sample("never", 0.0, 0.0),
        sample("hard", 0.0, 0.4),
        sample("easy", 0.5, 0.9),
        sample("always", 1.0, 1.0),
    ]
    rule = SelectionRule(drop_constant=True, curriculum=True)
    assert [s.id for s in select_samples(samples, rule).samples] == ["easy", "hard"]
    window = SelectionRule(mean_iou=(0.0, 0.7))
    assert [s.id for s in select_samples(samples, window).samples] == ["never", "hard", "easy"]
    assert len(select_samples(samples, SelectionRule(method="inverse", size=2)).samples) == 2


def test_samples_without_a_difficulty_do_where_none_is_asked_for():
    samples = [sample(str(k)) for k in range(5)]
    assert select_samples(samples, SelectionRule()) == (tuple(samples), tuple(samples), ())
    some = select_samples(samples, SelectionRule(size=2, seed=1)).samples
    assert len(some) == 2 and set(some) <= set(samples)
    with pytest.raises(UserError, match=r"5 of 5 samples have no difficulty \(the first: 0\)"):
        select_samples(samples, SelectionRule(drop_constant=True))


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        (SelectionRule(pass_rate=(0.1, 0.9)), "no `ious` .*selection.pass_rate"),
        (SelectionRule("weighted", weighed="reward"), "no `rewards` .*selection.weighed"),
    ],
)
def test_difficulties_of_an_earlier_version_are_measured_again_where_a_rule_needs_more(
    rule, missing
):
    samples = [replace(sample("a", 0.5), difficulty=Difficulty(0.5)), sample("b", 0.5)]
    with pytest.raises(UserError, match=rf"of 1 of 2 samples has {missing}.*remove it and"):
        select_samples(samples, rule)
    assert select_samples(samples, SelectionRule(mean_iou=(0.0, 0.5))).samples == tuple(samples)


def test_an_empty_selection_says_what_to_change():
    with pytest.raises(UserError, match=r"mean IoU, 0 to 0\.5: 1 of 1\. Widen `mean_iou`"):
        select_samples([sample("a", 0.9, 0.8)], SelectionRule(mean_iou=(0.0, 0.5)))
