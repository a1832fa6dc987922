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
from vtg_eval.training.trainers.rewards import Reward, RewardParts, tiou
from vtg_eval.training.trainers.span_sets import merged, wasserstein_distance

from tests.grounding_case import CARD
from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

REGISTRY = Registry.discover()
STRICT = REGISTRY.protocol("strict@2").without_task
WEIGHTS = [field.name for field in fields(RewardRule) if field.name != "answer_format"]
ALL = RewardRule(**dict.fromkeys(WEIGHTS, 1.0))
OF_SPANS = ("tiou", "boundary", "wasserstein", "wasserstein_union", "set_iou", "giou")
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


def of_spans(parts: RewardParts) -> dict[str, float]:
    return {name: getattr(parts, name) for name in OF_SPANS}


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
    for name in WEIGHTS:
        if name != "parse_penalty":
            assert 0.0 <= getattr(parts, name) <= 1.0
    assert -1.0 <= parts.total <= len(WEIGHTS) - 1


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


@pytest.mark.parametrize(
    ("text", "spans", "value"),
    [
        ("3 - 7", [(2, 6)], (1 + 3 / 5) / 2),
        ("7 - 11", [(2, 6)], (1 - 1 / 9) / 2),
        ("6 - 7", [(2, 6)], 1 / 2),
        ("2 - 6, 8 - 9", [(2, 6)], 1 / 2),
        ("2 - 6", [(2, 6), (8, 9)], 1 / 2),
        ("8 - 9, 2 - 6", [(2, 6), (8, 9)], 1.0),
        ("2 - 6, 9 - 13", [(8, 12), (4, 6)], ((1 + 2 / 4) / 2 + (1 + 3 / 5) / 2) / 2),
    ],
)
def test_generalised_iou_pairs_spans_in_order(text: str, spans: Any, value: float) -> None:
    assert rewards(text, sample(*spans)).giou == pytest.approx(value)


def test_the_distance_of_timelens2_counts_in_lengths_of_the_union() -> None:
    """7 - 11 is 5 from 2 - 6, with which it has 8 seconds; 3 - 7 is 1 from it, with 5 seconds."""
    for text, exponent in (("7 - 11", 5 / 8), ("3 - 7", 1 / 5), ("2 - 6", 0.0)):
        value = rewards(text, sample((2, 6))).wasserstein_union
        assert value == pytest.approx(math.exp(-exponent))


def worded(spans: Any) -> str:
    return ", ".join(f"{start:.1f} - {end:.1f}" for start, end in spans)


TENTHS = st.tuples(st.integers(0, 300), st.integers(1, 100)).map(
    lambda pair: (pair[0] / 10, sum(pair) / 10)
)


@given(TENTHS, st.integers(0, 300), st.integers(0, 5000))
@settings(max_examples=100, deadline=None)
def test_a_span_that_holds_the_label_keeps_a_reward_however_long_it_is(span, before, after) -> None:
    held = (max(span[0] - before / 10, 0.0), span[1] + after / 10)
    parts = rewards(worded([held]), sample(span, duration=900.0))
    assert parts.wasserstein_union >= math.exp(-1 / 2) - 1e-9
    assert parts.wasserstein <= parts.wasserstein_union + 1e-6


def test_an_answer_without_a_proper_span_earns_nothing() -> None:
    assert of_spans(rewards("6 - 2", sample((2, 6)))) == dict.fromkeys(OF_SPANS, 0.0)


# disjoint, so that the text has as many spans as the label
DISJOINT = st.lists(TENTHS, min_size=1, max_size=3).map(lambda spans: merged(spans).tolist())


@given(DISJOINT)
@settings(max_examples=100, deadline=None)
def test_the_label_itself_earns_everything(spans) -> None:
    parts = rewards(worded(spans), sample(*spans, duration=45.0))
    assert of_spans(parts) == pytest.approx(dict.fromkeys(OF_SPANS, 1.0))


@given(DISJOINT, DISJOINT)
@settings(max_examples=100, deadline=None)
def test_rewards_of_sets_are_symmetric(one, two) -> None:
    forth = rewards(worded(one), sample(*two, duration=45.0))
    back = rewards(worded(two), sample(*one, duration=45.0))
    for name in ("set_iou", "wasserstein_union", "giou"):
        assert getattr(forth, name) == pytest.approx(getattr(back, name))
    assert forth.wasserstein <= forth.wasserstein_union + 1e-6


@given(TENTHS, st.integers(0, 100), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_an_answer_that_is_further_away_earns_less(span, shift, more) -> None:
    """Rewards that rank misses fall with each step away; the others never rise."""
    asked = sample(span, duration=60.0)
    near, far = (
        rewards(worded([(span[0] + moved / 10, span[1] + moved / 10)]), asked)
        for moved in (shift, shift + more)
    )
    for name in ("wasserstein", "wasserstein_union", "giou"):
        assert getattr(far, name) < getattr(near, name)
    for name in ("tiou", "set_iou", "boundary"):
        assert getattr(far, name) <= getattr(near, name)


def test_the_truth_is_merged_before_it_is_measured() -> None:
    whole, pieces = sample((2, 8)), sample((2, 5), (4, 8))
    for text in ("1 - 4", "9 - 12", "2 - 5, 5 - 8"):
        a, b = rewards(text, whole), rewards(text, pieces)
        assert (a.wasserstein, a.set_iou) == (b.wasserstein, b.set_iou)


def test_an_event_that_never_happens_needs_the_answer_never() -> None:
    right, wrong = (rewards(text, sample()) for text in ("never", "2 - 6"))
    assert of_spans(right) == dict.fromkeys(OF_SPANS, 1.0)
    assert of_spans(wrong) == dict.fromkeys(OF_SPANS, 0.0)
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
