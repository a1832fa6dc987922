"""Selection by difficulty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.sample import Difficulty, TrainingSample
from vtg_eval.training.data.selection import (
    constant,
    gaussian_weights,
    inverse_weights,
    select,
    select_samples,
    weighted_sample,
    weights,
)
from vtg_eval.training.recipe import SelectionRule

from vtg_eval.errors import UserError
from vtg_eval.types import Span

means = st.lists(st.floats(0, 1), max_size=40).map(lambda xs: np.array(xs, dtype=np.float64))
rules = st.builds(
    SelectionRule,
    method=st.sampled_from(["all", "gaussian", "inverse"]),
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
    difficulty = Difficulty(float(np.mean(ious)), rewards=ious) if ious else None
    return TrainingSample(name, "v.mp4", "q", (Span(0, 1),), "s", difficulty=difficulty)


@given(means, rules, st.integers(0, 5))
def test_what_is_chosen_is_allowed_distinct_and_as_many_as_asked(values, rule, seed):
    same = np.random.default_rng(seed).random(len(values)) < 0.3
    chosen = select(values, same, rule)
    low, high = rule.mean_iou
    allowed = (values >= low) & (values <= high) & ~(same & rule.drop_constant)
    able = np.count_nonzero(weights(values[allowed], rule) > 0)
    assert len(chosen) == len(set(chosen.tolist())) == min(rule.size or able, able)
    assert allowed[chosen].all()
    assert (select(values, same, rule) == chosen).all()
    order = np.diff(values[chosen]) if rule.curriculum else -np.diff(chosen)
    assert (order <= 0).all()


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
    chosen = values[select(values, np.zeros(len(values), dtype=bool), rule)]
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
    assert [s.id for s in select_samples(samples, rule)] == ["easy", "hard"]
    window = SelectionRule(mean_iou=(0.0, 0.7))
    assert [s.id for s in select_samples(samples, window)] == ["never", "hard", "easy"]
    assert len(select_samples(samples, SelectionRule(method="inverse", size=2))) == 2


def test_samples_without_a_difficulty_do_where_none_is_asked_for():
    samples = [sample(str(k)) for k in range(5)]
    assert select_samples(samples, SelectionRule()) == tuple(samples)
    some = select_samples(samples, SelectionRule(size=2, seed=1))
    assert len(some) == 2 and set(some) <= set(samples)
    with pytest.raises(UserError, match=r"5 of 5 samples have no difficulty \(the first: 0\)"):
        select_samples(samples, SelectionRule(drop_constant=True))


def test_an_empty_selection_says_what_to_change():
    with pytest.raises(UserError, match="widen `mean_iou`"):
        select_samples([sample("a", 0.9, 0.8)], SelectionRule(mean_iou=(0.0, 0.5)))
