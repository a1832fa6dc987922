import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import grounding_case
from vtg_eval.failures import Failure
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Group, OutputType, Prediction, Sample, Target

STRICT = Registry.discover().protocol("strict@2").without_task
CARD = replace(grounding_case.CARD, metric_family="choice", report_by="kind", average="mean")
KINDS = ("a", "a", "a", "b", "b", "c")
LETTERS = "ABCDAB"


def sample(name: str, letter: str | None, *kinds: str) -> Sample:
    return Sample(
        id=name,
        video=name,
        query="q",
        target=Target(choice=letter),
        options=("one", "two", "three", "four"),
        groups=tuple(Group("kind", kind) for kind in kinds),
        asks=OutputType.CHOICE,
    )


SAMPLES = [
    sample(str(k), letter, kind)
    for k, (letter, kind) in enumerate(zip(LETTERS, KINDS, strict=True))
]
names = st.sampled_from([s.id for s in SAMPLES])
texts = st.sampled_from(["A", "B", "(C)", "The answer is D", "", "no idea", "A or B"])
answers = st.lists(st.builds(Prediction, names, text=texts), unique_by=lambda p: p.id)


def metrics_of(predictions, rule=None, card=CARD, samples=SAMPLES):
    protocol = STRICT if rule is None else ResolvedProtocol("x@1", "s", "t", score=rule)
    return score(card, samples, predictions, protocol, "test").metrics


@given(answers, st.randoms())
def test_the_order_of_answers_does_not_matter(predictions, draw):
    shuffled = list(predictions)
    draw.shuffle(shuffled)
    assert metrics_of(shuffled) == metrics_of(predictions)


@given(answers, names, st.booleans())
def test_a_further_wrong_answer_never_raises_a_metric(predictions, name, first):
    wrong = next(k for k in "ABCD" if k != LETTERS[int(name)])
    further = [Prediction(name, choice=wrong)]
    before, after = (
        metrics_of(predictions),
        metrics_of(further + predictions if first else predictions + further),
    )
    assert all(after[key] <= before[key] for key in before)


@given(answers)
def test_the_average_is_the_mean_of_the_groups(predictions):
    metrics = metrics_of(predictions)
    assert metrics["mean"] == pytest.approx(np.mean([metrics[kind] for kind in "abc"]))


@given(answers)
def test_accuracy_is_the_share_of_right_answers(predictions):
    right = {"A": "A", "B": "B", "(C)": "C", "The answer is D": "D"}
    hits = sum(right.get(p.text) == LETTERS[int(p.id)] for p in predictions)
    assert metrics_of(predictions)["accuracy"] == pytest.approx(100 * hits / 6)


def test_groups_of_any_size_have_equal_weight_in_the_mean():
    metrics = metrics_of([Prediction("5", choice="B")])
    assert list(metrics) == ["mean", "accuracy", "a", "b", "c"]
    assert metrics == {"mean": 100 / 3, "accuracy": 100 / 6, "a": 0.0, "b": 0.0, "c": 100.0}


def test_a_sample_counts_in_each_of_its_groups_and_once_in_the_accuracy():
    samples = [sample("0", "A", "a", "b"), sample("1", "A", "b")]
    metrics = metrics_of([Prediction("0", choice="A")], samples=samples)
    assert (metrics["accuracy"], metrics["a"], metrics["b"]) == (50.0, 100.0, 50.0)


def test_a_sample_without_a_right_letter_counts_and_is_always_wrong():
    samples = [sample("0", None, "a"), sample("1", "A", "a")]
    for text in ("A", "none", ""):
        metrics = metrics_of(
            [Prediction("0", text=text), Prediction("1", text="A")], samples=samples
        )
        assert metrics["accuracy"] == 50.0


def test_unparsed_and_missing_answers_have_separate_drop_rules():
    predictions = [
        Prediction("0", choice="A"),
        Prediction("1", text="no idea"),
        Prediction("2", text="A"),
    ]
    for rule, expected in (
        (ScoreRule(), 100 / 6),
        (ScoreRule(unparsed="drop"), 20.0),
        (ScoreRule(missing="drop"), 100 / 3),
        (ScoreRule(missing="drop", unparsed="drop"), 50.0),
    ):
        assert metrics_of(predictions, rule)["accuracy"] == pytest.approx(expected)


def test_a_group_without_counted_samples_has_no_figure_and_no_part_in_the_mean():
    metrics = metrics_of([Prediction("0", choice="A")], ScoreRule(missing="drop"))
    assert (metrics["a"], metrics["mean"]) == (100.0, 100.0)
    assert math.isnan(metrics["b"]) and math.isnan(metrics["c"])
    assert all(map(math.isnan, metrics_of([], ScoreRule(missing="drop")).values()))


def test_a_letter_beyond_the_options_is_wrong_and_malformed():
    for choice in ("E", "a", "", "A."):
        result = score(CARD, SAMPLES, [Prediction("0", choice=choice)], STRICT, "test")
        assert result.metrics["accuracy"] == 0.0
    assert result.failures[Failure.MALFORMED] == 1


def test_decimals_round_groups_and_their_mean():
    metrics = metrics_of([Prediction("0", choice="A")], ScoreRule(decimals=1))
    assert (metrics["accuracy"], metrics["a"], metrics["mean"]) == (16.7, 33.3, 11.1)


def test_without_groups_there_is_only_accuracy():
    card = replace(CARD, report_by="", average="")
    assert metrics_of([Prediction("0", choice="A")], card=card) == {"accuracy": 100 / 6}
