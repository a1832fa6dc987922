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

STRICT = Registry.discover().protocol("strict@1").without_task
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


def figures(predictions, rule=None, card=CARD, samples=SAMPLES):
    protocol = STRICT if rule is None else ResolvedProtocol("x@1", "s", "t", score=rule)
    return score(card, samples, predictions, protocol, "test").metrics


@given(answers, st.randoms())
def test_the_order_of_answers_does_not_matter(predictions, draw):
    shuffled = list(predictions)
    draw.shuffle(shuffled)
    assert figures(shuffled) == figures(predictions)


@given(answers, names, st.booleans())
def test_a_wrong_answer_more_never_raises_a_figure(predictions, name, first):
    wrong = next(k for k in "ABCD" if k != LETTERS[int(name)])
    more = [Prediction(name, choice=wrong)]
    before, after = (
        figures(predictions),
        figures(more + predictions if first else predictions + more),
    )
    assert all(after[key] <= before[key] for key in before)


@given(answers)
def test_the_average_is_the_mean_of_the_groups(predictions):
    found = figures(predictions)
    assert found["mean"] == pytest.approx(np.mean([found[kind] for kind in "abc"]))


@given(answers)
def test_accuracy_is_the_share_of_right_answers(predictions):
    right = {"A": "A", "B": "B", "(C)": "C", "The answer is D": "D"}
    hits = sum(right.get(p.text) == LETTERS[int(p.id)] for p in predictions)
    assert figures(predictions)["accuracy"] == pytest.approx(100 * hits / 6)


def test_groups_count_as_much_in_the_mean_whatever_their_size():
    found = figures([Prediction("5", choice="B")])
    assert list(found) == ["mean", "accuracy", "a", "b", "c"]
    assert found == {"mean": 100 / 3, "accuracy": 100 / 6, "a": 0.0, "b": 0.0, "c": 100.0}


def test_a_sample_counts_in_each_of_its_groups_and_once_in_all():
    samples = [sample("0", "A", "a", "b"), sample("1", "A", "b")]
    found = figures([Prediction("0", choice="A")], samples=samples)
    assert (found["accuracy"], found["a"], found["b"]) == (50.0, 100.0, 50.0)


def test_a_truth_without_a_letter_counts_and_is_never_right():
    samples = [sample("0", None, "a"), sample("1", "A", "a")]
    for text in ("A", "none", ""):
        found = figures([Prediction("0", text=text), Prediction("1", text="A")], samples=samples)
        assert found["accuracy"] == 50.0


def test_unparsed_and_missing_answers_are_dropped_each_by_its_own_rule():
    given_ = [
        Prediction("0", choice="A"),
        Prediction("1", text="no idea"),
        Prediction("2", text="A"),
    ]
    for rule, wanted in (
        (ScoreRule(), 100 / 6),
        (ScoreRule(unparsed="drop"), 20.0),
        (ScoreRule(missing="drop"), 100 / 3),
        (ScoreRule(missing="drop", unparsed="drop"), 50.0),
    ):
        assert figures(given_, rule)["accuracy"] == pytest.approx(wanted)


def test_a_group_of_which_nothing_counts_is_zero():
    found = figures([Prediction("0", choice="A")], ScoreRule(missing="drop"))
    assert (found["a"], found["b"], found["c"]) == (100.0, 0.0, 0.0)


def test_a_letter_beyond_the_options_is_wrong_and_counted():
    for choice in ("E", "a", "", "A."):
        found = score(CARD, SAMPLES, [Prediction("0", choice=choice)], STRICT, "test")
        assert found.metrics["accuracy"] == 0.0
    assert found.failures[Failure.MALFORMED] == 1


def test_decimals_round_groups_and_their_mean():
    found = figures([Prediction("0", choice="A")], ScoreRule(decimals=1))
    assert (found["accuracy"], found["a"], found["mean"]) == (16.7, 33.3, 11.1)


def test_without_groups_there_is_only_accuracy():
    card = replace(CARD, report_by="", average="")
    assert figures([Prediction("0", choice="A")], card=card) == {"accuracy": 100 / 6}
