"""NExT-GQA's metrics: single answers, the denominators, and what never raises a metric."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD as TINY
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Group, OutputType, Prediction, Sample, Span, Target

NAN = math.nan
CARD = replace(TINY, metric_family="grounded choice", report_by="class")
REGISTRY = Registry.discover()
STRICT, STRICT_1, OFFICIAL = (
    REGISTRY.protocol_for(CARD, "strict@2"),
    REGISTRY.protocol_for(CARD, "strict@1"),
    REGISTRY.protocol_for(CARD, "next-gqa@1"),
)


def sample(name, *segments, group="Why"):
    target = Target(tuple(Span(*segment) for segment in segments), "B")
    return Sample(
        name,
        name[0],
        "q",
        target,
        20.0,
        ("x", "y", "z"),
        (Group("class", group),),
        asks=OutputType.BOTH,
    )


SAMPLES = (
    sample("a/0", (0, 10)),
    sample("a/1", (0, 4), (10, 20), group="How"),
    sample("b/0", (5, 6)),
)


def answer(name, span=None, choice="B"):
    return Prediction(name, spans=None if span is None else (Span(*span),), choice=choice)


def run(answers, protocol: ResolvedProtocol = OFFICIAL, samples=SAMPLES):
    return score(CARD, samples, answers, protocol, "test")


def one(span, protocol=OFFICIAL, choice="B"):
    return run([answer("a/0", span, choice)], protocol, SAMPLES[:1]).metrics


@pytest.mark.parametrize(
    ("span", "iou", "iop"),
    [
        ((0, 10), 1, 1),
        ((0, 20), 0.5, 0.5),
        ((5, 5), 0, 1),
        ((10, 10), 0, 1),
        ((15, 15), 0, 0),
        ((10, 0), 0, 0),
        ((12, 20), 0, 0),
        ((-10, 10), 0.5, 0.5),
        ((5, 30), 5 / 30, 0.2),
        ((0, NAN), 1, 0),
        ((NAN, NAN), 1, 0),
    ],
)
def test_overlaps_of_one_span_under_the_official_rule(span, iou, iop):
    metrics = one(span)
    assert (metrics["mIoU"], metrics["mIoP"]) == pytest.approx((iou * 100, iop * 100))
    assert metrics["Acc@GQA"] == (100 if iop >= 0.5 else 0)


@pytest.mark.parametrize("span", [(0, NAN), (NAN, NAN), (0, math.inf), (-math.inf, 10)])
def test_under_strict_a_time_that_is_not_finite_never_hits(span):
    metrics = one(span, STRICT)
    assert (metrics["mIoU"], metrics["mIoP"], metrics["Acc@GQA"]) == (0, 0, 0)
    assert metrics["Acc@QA"] == 100


@pytest.mark.parametrize(("protocol", "iop"), [(STRICT, 0), (STRICT_1, 100), (OFFICIAL, 100)])
def test_only_under_strict_a_span_without_length_is_worth_nothing(protocol, iop):
    metrics = one((5, 5), protocol)
    assert (metrics["mIoU"], metrics["mIoP"], metrics["Acc@GQA"]) == (0, iop, iop)


def test_a_grounded_answer_needs_the_right_option_as_well():
    metrics = one((0, 10), choice="A")
    assert (metrics["Acc@GQA"], metrics["Acc@QA"], metrics["IoP@0.5"]) == (0, 0, 100)


def test_iou_and_iop_take_separate_best_segments():
    metrics = run([answer("a/1", (0, 12))], samples=SAMPLES[1:2]).metrics
    assert (metrics["mIoU"], metrics["mIoP"]) == pytest.approx((100 / 3, 100 / 3))


def test_a_missing_span_leaves_the_denominator_of_grounding_and_not_of_accuracy():
    answers = [answer("a/0", (0, 10)), answer("a/1"), answer("b/0", (9, 10), "A")]
    result = run(answers)
    assert result.metrics["Acc@QA"] == 2 * 100 / 3
    assert result.metrics["mIoU"] == result.metrics["Acc@GQA"] == 50
    assert run(answers, STRICT).metrics["mIoU"] == pytest.approx(100 / 3)


def test_a_missing_question_is_wrong_where_the_official_script_stops():
    result = run([answer("a/0", (0, 10))])
    assert (result.metrics["Acc@QA"], result.metrics["Acc@GQA"]) == (100 / 3, 100)
    assert result.n_scored == result.n_expected == 3


def test_each_group_of_the_card_has_its_accuracy():
    result = run([answer("a/0", (0, 1)), answer("a/1", (0, 1), "C"), answer("b/0", (0, 1), "A")])
    assert (result.metrics["Why"], result.metrics["How"]) == (50, 0)
    assert "Why" not in result.table.headline


def test_a_text_is_parsed_for_the_letter_and_the_span():
    metrics = run([Prediction("a/0", text="B, 0 - 10")], STRICT, SAMPLES[:1]).metrics
    assert (metrics["Acc@GQA"], metrics["IoU@0.5"]) == (100, 100)


names = st.sampled_from([s.id for s in SAMPLES])
spans = st.tuples(st.floats(-5, 25), st.floats(-5, 25))
ANSWERS = st.lists(
    st.builds(answer, names, st.none() | spans, st.sampled_from("ABCD")),
    unique_by=lambda prediction: prediction.id,
)


@given(ANSWERS, names, st.sampled_from([(21.0, 25.0), (3.0, 1.0), (NAN, NAN), (30.0, 30.0)]))
def test_a_further_wrong_answer_never_raises_a_strict_score(answers, name, span):
    before = run(answers, STRICT).metrics
    after = run([*answers, answer(name, span, "C")], STRICT).metrics
    assert all(after[key] <= before[key] for key in before)


@given(ANSWERS, st.randoms(use_true_random=False))
@pytest.mark.parametrize("protocol", [STRICT, OFFICIAL], ids=lambda p: p.name)
def test_the_order_of_the_answers_does_not_matter(protocol, answers, random):
    shuffled = random.sample(answers, len(answers))
    assert run(answers, protocol).metrics == run(shuffled, protocol).metrics
