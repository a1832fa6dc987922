"""ReXTime's metrics: single answers, rounding, and what never raises a metric."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD as TINY
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

NAN = math.nan
CARD = replace(TINY, metric_family="moment choice")
REGISTRY = Registry.discover()
STRICT, OFFICIAL = REGISTRY.protocol_for(CARD, "strict@2"), REGISTRY.protocol_for(CARD, "rextime@1")


def sample(name, span, options=("w", "x", "y", "z")):
    target = Target((Span(*span),), "B")
    return Sample(name, name[0], "q", target, 20.0, options, asks=OutputType.BOTH)


SAMPLES = (sample("a/0", (0, 10)), sample("a/1", (5, 20)), sample("b/0", (1, 1)))


def answer(name, *spans, choice="B"):
    return Prediction(name, spans=tuple(Span(*span) for span in spans) or None, choice=choice)


def run(answers, protocol=OFFICIAL, samples=SAMPLES):
    return score(CARD, samples, answers, protocol, "val")


def one(span, protocol=OFFICIAL, choice="B", options=("w", "x", "y", "z")):
    return run([answer("a/0", span, choice=choice)], protocol, [sample("a/0", (0, 10), options)])


@pytest.mark.parametrize(
    ("span", "iou"),
    [
        ((0, 10), 100),
        ((0, 20), 50),
        ((10, 0), 0),
        ((5, 5), 0),
        ((0, 15), 66.67),
        ((-10, 10), 50),
        ((0, math.inf), 0),
        ((-math.inf, math.inf), 0),
    ],
)
def test_iou_of_one_span_under_the_official_rule(span, iou):
    metrics = one(span).metrics
    assert metrics["mIoU"] == iou
    assert metrics["VQA,mIoU@0.5"] == (100 if iou >= 50 else 0)


@pytest.mark.parametrize("span", [(NAN, 10), (0, NAN), (NAN, NAN)])
def test_a_nan_time_makes_the_official_mean_nan_and_hits_nothing(span):
    metrics = one(span).metrics
    assert math.isnan(metrics.pop("mIoU"))
    assert {key for key, value in metrics.items() if value} == {"VQA"}
    assert one(span, STRICT).metrics["mIoU"] == 0


def test_only_the_first_span_counts_and_missing_ones_are_zero():
    metrics = run([answer("a/0", (12, 13), (0, 10))]).metrics
    assert (metrics["mIoU"], metrics["VQA"]) == (0, 1 / 3 * 100)


def test_percentages_of_spans_are_rounded_and_those_of_letters_are_not():
    metrics = run([answer("a/0", (0, 10)), answer("a/1", (0, 1), choice="C")]).metrics
    assert (metrics["R1@0.5"], metrics["mIoU"]) == (33.33, 33.33)
    assert metrics["VQA"] == metrics["VQA,mIoU@0.3"] == 1 / 3 * 100


def test_an_empty_target_overlaps_nothing():
    assert run([answer("b/0", (1, 1))], samples=SAMPLES[2:]).metrics["mIoU"] == 0


@pytest.mark.parametrize("choice", [None, "", "A", "a", "b", "AB"])
def test_any_answer_but_the_right_letter_is_wrong(choice):
    assert one((0, 10), choice=choice).metrics["VQA"] == 0


@pytest.mark.parametrize(
    ("options", "choice", "failures"),
    [
        ((), "B", {}),
        ((), "Z", {}),
        ((), "", {"malformed": 1}),
        ((), "b", {"malformed": 1}),
        ((), "AB", {"malformed": 1}),
        (("w", "x"), "B", {}),
        (("w", "x"), "C", {"malformed": 1}),
        (("w", "x"), "", {"malformed": 1}),
        (("w", "x"), "AB", {"malformed": 1}),
    ],
)
def test_a_letter_counts_also_for_a_sample_without_options(options, choice, failures):
    result = one((0, 9), STRICT, choice, options)
    assert result.failures == failures
    assert result.metrics["VQA"] == (100 if choice == "B" else 0)


names = st.sampled_from([s.id for s in SAMPLES])
times = st.floats(-5, 25)
ANSWERS = st.lists(
    st.builds(
        lambda name, span, choice: answer(name, span, choice=choice),
        names,
        st.tuples(times, times),
        st.sampled_from("ABCD"),
    ),
    unique_by=lambda prediction: prediction.id,
)


@given(ANSWERS, names, st.sampled_from([(21.0, 25.0), (3.0, 1.0), (NAN, NAN), (30.0, 30.0)]))
def test_a_further_wrong_answer_never_raises_a_strict_score(answers, name, span):
    before = run(answers, STRICT).metrics
    after = run([*answers, answer(name, span, choice="C")], STRICT).metrics
    assert all(after[key] <= before[key] for key in before)


@given(ANSWERS, st.randoms(use_true_random=False))
@pytest.mark.parametrize("protocol", [STRICT, OFFICIAL], ids=lambda p: p.name)
def test_the_order_of_the_answers_does_not_matter(protocol, answers, random):
    shuffled = random.sample(answers, len(answers))
    assert run(answers, protocol).metrics == run(shuffled, protocol).metrics
