"""Rewards: the score's own values, exact distances, bounded for any text."""

from __future__ import annotations

import math
import time
from dataclasses import astuple, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vtg_eval.training.data.answers import well_formed
from vtg_eval.training.recipe import RewardRule
from vtg_eval.training.trainers.rewards import (
    Reward,
    merged,
    tiou,
    wasserstein_distance,
)

from tests.grounding_case import CARD
from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

REGISTRY = Registry.discover()
STRICT = REGISTRY.protocol("strict@2").without_task
ALL = RewardRule(tiou=1, boundary=1, wasserstein=1, set_iou=1, choice=1, format=1, parse_penalty=1)
TEXT_PROTOCOLS = ("strict@2", "timelens@1", "time-r1@1", "timezero@1", "timechat@1", "vtimellm@1")
WORDINGS = (
    "{:.1f} - {:.2f}",
    "from {:.1f} to {:.1f} seconds",
    "<think>{:.0f} to {:.0f}</think><answer>{:.2f} to {:.2f}</answer>",
    "<think>hm</think> <time>[{:.1f}, {:.1f}]</time>",
    "start {:.1f}, end {:.1f}",
    "{:.0f} and {:.0f}",
    "{:02.0f} to {:02.0f}",
    "{:e} - {:e}",
    "[[{:.1f}, {:.1f}], [{:.1f}, {:.1f}]]",
    "{:.1f} - {:.1f}, {:.1f} - {:.1f}",
    "00:{:02.0f} - 01:{:02.0f}",
    "1{:050.0f}e999 - {:.1f}",
    "never",
    "the event does not happen",
    "I cannot answer",
    "",
    "nan - inf",
)


def sample(*spans: tuple[float, float], duration: float | None = 20.0, **more: Any) -> Sample:
    target = Target(spans=tuple(Span(*span) for span in spans))
    return replace(Sample("a", "v", "q", target, duration), **more)


def rewards(text: str, asked: Sample, rule: RewardRule = ALL, protocol: ResolvedProtocol = STRICT):
    return Reward(rule, protocol)(asked, text)


def random_answer(random: np.random.Generator) -> str:
    wording = WORDINGS[random.integers(len(WORDINGS))]
    return wording.format(*random.uniform(-2, 45, size=4))


def random_sample(random: np.random.Generator, number: int) -> Sample:
    count = random.choice([0, 1, 1, 1, 2, 3])
    starts = random.uniform(0, 30, size=count)
    spans = [(s, s + random.uniform(0.1, 12)) for s in starts.tolist()]
    return sample(*spans, id=f"s{number}", video=f"v{number}", query=f"q{number}", duration=45.0)


@pytest.mark.parametrize("name", TEXT_PROTOCOLS)
def test_the_reward_is_the_score_on_10000_random_answers(name: str) -> None:
    random = np.random.default_rng(list(name.encode()))
    count = 10_000 if name == "strict@2" else 2_000
    samples = [random_sample(random, number) for number in range(count)]
    answers = [random_answer(random) for _ in samples]
    protocol = REGISTRY.protocol(name).without_task
    predictions = [Prediction(s.id, text=t) for s, t in zip(samples, answers, strict=True)]
    scored = score(CARD, samples, predictions, protocol, "test").values
    reward = Reward(RewardRule(tiou=1.0), protocol)
    rewards = [reward(s, t) for s, t in zip(samples, answers, strict=True)]
    assert [parts.tiou for parts in rewards] == scored.tolist()
    assert [parts.total for parts in rewards] == scored.tolist()
    assert len(set(scored.tolist())) > count / 50  # they are not all alike


def test_a_time_that_is_not_finite_earns_nothing_under_any_protocol() -> None:
    protocol = REGISTRY.protocol("timelens@1").without_task
    asked = sample((2, 6))
    ready = Prediction("a", spans=(Span(math.nan, math.nan),))
    assert score(CARD, [asked], [ready], protocol, "test").values.tolist() == [1.0]
    assert tiou(asked, parse_answer(asked, ready, protocol), protocol) == 0.0


@given(
    text=st.one_of(st.text(max_size=200), st.from_regex(r"[0-9eE.,: to\-\[\]<>/a-z]{0,80}")),
    spans=st.lists(st.tuples(st.floats(-5, 50), st.floats(-5, 50)), max_size=3),
    name=st.sampled_from(TEXT_PROTOCOLS),
    asks=st.sampled_from(list(OutputType)),
)
@settings(max_examples=300, deadline=None)
def test_rewards_are_bounded_for_any_text(text, spans, name, asks) -> None:
    asked = sample(*spans, asks=asks, options=("red", "blue"))
    parts = rewards(text, asked, protocol=REGISTRY.protocol(name).without_task)
    assert all(map(math.isfinite, astuple(parts)))
    assert parts.parse_penalty in (-1.0, 0.0)
    for field in fields(RewardRule):
        if field.name not in ("answer_format", "parse_penalty"):
            assert 0.0 <= getattr(parts, field.name) <= 1.0
    assert -1.0 <= parts.total <= 6.0


@pytest.mark.parametrize(
    "text", ["1e308 - 1.7e308", "-1e308 - 1e308, 1 - 2", "0 - 1e308", "9" * 9999]
)
def test_huge_times_overflow_nothing(text: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert all(map(math.isfinite, astuple(rewards(text, sample((2, 6))))))


@pytest.mark.parametrize("form", ["think-answer", "think-time"])
def test_a_long_hostile_answer_is_parsed_quickly(form: Any) -> None:
    rule = replace(ALL, answer_format=form)
    began = time.monotonic()
    for text in ("<think>" * 20_000, "<think>" + "</think> " * 20_000, "<time>1" * 20_000):
        rewards(text, sample((2, 6)), rule)
    assert time.monotonic() - began < 5


def test_the_boundary_factor_is_time_r1s() -> None:
    parts = rewards("3 - 7", sample((2, 6)))
    assert parts.boundary == pytest.approx(0.6 * (1 - 1 / 20) * (1 - 1 / 20))
    best = rewards("15 - 19", sample((2, 6), (15, 20)))
    assert best.boundary == pytest.approx(0.8 * 1.0 * (1 - 1 / 20))
    assert rewards("2 - 6", sample((2, 6))).boundary == 1.0


def test_the_boundary_factor_needs_a_duration_only_where_it_counts() -> None:
    asked = sample((2, 6), duration=None)
    assert rewards("2 - 6", asked, RewardRule(tiou=1)).total == 1.0
    with pytest.raises(UserError, match="boundary"):
        rewards("2 - 6", asked, RewardRule(boundary=1))


def test_distance_orders_answers_that_miss() -> None:
    near, far = (rewards(text, sample((2, 6))) for text in ("7 - 11", "12 - 16"))
    assert near.tiou == far.tiou == 0.0
    assert near.wasserstein == pytest.approx(math.exp(-5 / 4), rel=1e-5)
    assert far.wasserstein == pytest.approx(math.exp(-10 / 4), rel=1e-5)
    assert rewards("2 - 6", sample((2, 6))).wasserstein == 1.0


def test_the_truth_is_merged_before_it_is_measured() -> None:
    whole, pieces = sample((2, 8)), sample((2, 5), (4, 8))
    for text in ("1 - 4", "9 - 12", "2 - 5, 5 - 8"):
        a, b = rewards(text, whole), rewards(text, pieces)
        assert (a.wasserstein, a.set_iou) == (b.wasserstein, b.set_iou)


def test_an_event_that_never_happens_needs_the_answer_never() -> None:
    right, wrong = (rewards(text, sample()) for text in ("never", "2 - 6"))
    assert (right.tiou, right.boundary, right.wasserstein, right.set_iou) == (1, 1, 1, 1)
    assert (wrong.tiou, wrong.boundary, wrong.wasserstein, wrong.set_iou) == (0, 0, 0, 0)
    assert right.parse_penalty == 0.0
    assert rewards("hm", sample()).parse_penalty == -1.0


def test_an_option_is_right_or_not() -> None:
    asked = sample(asks=OutputType.CHOICE, options=("red", "blue"))
    asked = replace(asked, target=Target(choice="B"))
    assert rewards("B", asked).choice == 1.0
    assert rewards("A", asked).choice == 0.0
    assert rewards("hm", asked).parse_penalty == -1.0
    assert rewards("2 - 6", sample((2, 6))).choice == 0.0


@pytest.mark.parametrize(
    ("text", "form", "right"),
    [
        ("anything", "any", True),
        ("<think>a</think> <answer>1 to 2</answer>", "think-answer", True),
        ("<think></think>\n\n<answer></answer>", "think-answer", True),
        ("<think>a</think> <answer>1 to 2</answer> ", "think-answer", False),
        (" <think>a</think> <answer>1 to 2</answer>", "think-answer", False),
        ("<think>a</think> so <answer>1 to 2</answer>", "think-answer", False),
        ("<think><answer>1</answer>", "think-answer", False),
        ("<think>a</think> <time>[1, 2]</time>", "think-time", True),
        ("<think>a</think> so <time>[1, 2]</time> ok", "think-time", True),
        ("<think>a <time>[1, 2]</time></think>", "think-time", False),
        ("<time>[1, 2]</time> <think>a</think>", "think-time", False),
        ("", "think-time", False),
    ],
)
def test_the_form_of_an_answer(text: str, form: str, right: bool) -> None:
    assert well_formed(text, form) is right


TAGGED = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<answer>", "</answer>", "<time>", "</time>", " ", "\n", "x"]
    ),
    max_size=9,
).map("".join)


@given(TAGGED)
@settings(max_examples=500, deadline=None)
def test_the_forms_are_those_of_the_sources_patterns(text: str) -> None:
    import re

    timed = re.fullmatch(r"<think>.*</think>.*<time>.*</time>.*", text, re.DOTALL)
    answered = re.fullmatch(r"<think>.*?</think>\s*<answer>.*?</answer>", text, re.DOTALL)
    assert well_formed(text, "think-time") is (timed is not None)
    assert well_formed(text, "think-answer") is (answered is not None)


UNIONS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 40)).map(lambda p: (p[0] / 8, sum(p) / 8)),
    min_size=1,
    max_size=5,
).map(merged)


@given(UNIONS, UNIONS)
@settings(max_examples=200, deadline=None)
def test_the_distance_is_the_integral_of_the_difference_of_the_distributions(one, two) -> None:
    # every end is a multiple of 1/8, so that a grid of midpoints meets no corner
    step = 1 / 64
    grid = np.arange(step / 2, 32, step)

    def shares(union):
        lengths = np.clip(grid[:, None] - union[:, 0], 0, union[:, 1] - union[:, 0])
        return lengths.sum(axis=1) / (union[:, 1] - union[:, 0]).sum()

    numeric = np.abs(shares(one) - shares(two)).sum() * step
    assert wasserstein_distance(one, two) == pytest.approx(numeric, abs=2e-3)


@given(UNIONS, UNIONS, UNIONS)
@settings(max_examples=100, deadline=None)
def test_the_distance_is_a_metric(one, two, three) -> None:
    assert wasserstein_distance(one, one) == 0.0
    forth, back = wasserstein_distance(one, two), wasserstein_distance(two, one)
    assert forth == pytest.approx(back, abs=1e-9)
    detour = wasserstein_distance(one, three) + wasserstein_distance(three, two)
    assert forth <= detour + 1e-9


@given(UNIONS, st.floats(-50, 50))
@settings(max_examples=100, deadline=None)
def test_the_distance_of_a_shifted_set_is_the_shift(one, shift) -> None:
    assert wasserstein_distance(one, one + shift) == pytest.approx(abs(shift), abs=1e-6)
