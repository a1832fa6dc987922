"""The grounding family: the effect of its rules on the metrics, and what holds for all."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD, SAMPLES, protocol, sample, spans
from vtg_eval.errors import UserError
from vtg_eval.protocol import AnswerRule, PromptRule
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Prediction, ScoredSpan, Span

NAN = math.nan
PROTOCOLS = {
    name: protocol.for_task("tiny", "grounding")
    for name, protocol in Registry.discover().protocols.items()
    if protocol.covers("tiny", "grounding")
}
# any time that a model or a file may give
wild = st.one_of(st.floats(), st.integers(0, 40).map(float))
tame = st.integers(0, 40).map(lambda n: n / 2)


def lists(time):
    return st.lists(st.tuples(time, time), min_size=1, max_size=6)


def answers(time):
    """An answer to some of the samples, some of them with scores."""
    return st.lists(
        st.builds(
            lambda name, pairs, scored: Prediction(
                name,
                spans=(
                    tuple(ScoredSpan(start, end, k % 3) for k, (start, end) in enumerate(pairs))
                    if scored
                    else tuple(Span(*pair) for pair in pairs)
                ),
            ),
            st.sampled_from([s.id for s in SAMPLES]),
            lists(time),
            st.booleans(),
        ),
        max_size=3,
        unique_by=lambda answer: answer.id,
    )


def result(rules, predictions, samples=SAMPLES):
    return score(CARD, samples, predictions, rules, "test")


def metrics(rules, predictions, samples=SAMPLES):
    return result(rules, predictions, samples).metrics


def same(first, second):
    return first == pytest.approx(second, nan_ok=True, abs=0)


@pytest.mark.parametrize("name", PROTOCOLS)
@given(answers(wild), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(name, predictions, draw):
    shuffled = draw.sample(predictions, len(predictions))
    assert same(metrics(PROTOCOLS[name], shuffled), metrics(PROTOCOLS[name], predictions))


@given(answers(tame), lists(tame))
def test_a_wrong_answer_never_raises_the_strict_score(predictions, other):
    """A wrong answer is a further one for an answered sample, or further spans of its answer."""
    strict = PROTOCOLS["strict@2"]
    before = metrics(strict, predictions)
    for answer in predictions:
        further = spans(answer.id, *other)
        first = tuple(Span(span.start, span.end) for span in answer.spans)
        longer = replace(answer, spans=first + further.spans)
        changed = [longer if one.id == answer.id else one for one in predictions]
        for after in (metrics(strict, [*predictions, further]), metrics(strict, changed)):
            assert all(after[name] <= before[name] for name in before)


@given(answers(tame))
def test_a_wrong_answer_where_there_was_none_does_not_raise_the_strict_score(predictions):
    strict = PROTOCOLS["strict@2"]
    before = metrics(strict, predictions)
    missing = {s.id for s in SAMPLES} - {answer.id for answer in predictions}
    after = metrics(strict, [*predictions, *(spans(name, (40, 50)) for name in missing)])
    assert after == before


@pytest.mark.parametrize(
    "name", [name for name, rules in PROTOCOLS.items() if rules.score.non_finite == "zero"]
)
@given(answers(wild))
def test_no_metric_is_nan_where_non_finite_times_score_0(name, predictions):
    result = score(CARD, SAMPLES, predictions, PROTOCOLS[name], "test")
    if result.n_scored:
        assert all(0 <= value <= 100 for value in result.metrics.values())
    else:
        assert all(map(math.isnan, result.metrics.values()))


@pytest.mark.parametrize("name", PROTOCOLS)
@given(answers(wild))
def test_recalls_are_percentages_under_every_protocol(name, predictions):
    result = score(CARD, SAMPLES, predictions, PROTOCOLS[name], "test")
    recalls = [value for key, value in result.metrics.items() if "@" in key]
    assert all(0 <= value <= 100 if result.n_scored else math.isnan(value) for value in recalls)


def test_a_nan_answer_under_each_rule():
    predictions = [spans("a/0", (NAN, NAN))]
    for rule, expected in (("zero", 0.0), ("truth-first", 100.0), ("signed", 100.0)):
        assert metrics(protocol(non_finite=rule), predictions, SAMPLES[:1])["mIoU"] == expected
    spreading = metrics(protocol(non_finite="spread", average=True), predictions, SAMPLES[:1])
    assert math.isnan(spreading["mIoU"]) and math.isnan(spreading["avg"])
    assert spreading["R1@0.3"] == 0.0


def test_samples_of_undefined_iou_may_leave_the_denominator():
    samples = (sample("a/0", (5, 5)), sample("b/0", (0, 10)))
    predictions = [spans("a/0", (5, 5)), spans("b/0", (0, 10))]
    dropped = result(protocol(non_finite="signed", undefined="drop"), predictions, samples)
    assert (dropped.n_scored, dropped.metrics["mIoU"]) == (1, 100.0)
    kept = result(protocol(non_finite="signed"), predictions, samples)
    assert kept.n_scored == 2 and math.isnan(kept.metrics["mIoU"])


def test_a_reversed_answer_overlaps_a_reversed_target_under_the_signed_rule_only():
    samples, predictions = (sample("a/0", (9, 3)),), [spans("a/0", (9, 3))]
    assert metrics(protocol(non_finite="signed"), predictions, samples)["mIoU"] == 100.0
    assert metrics(protocol(), predictions, samples)["mIoU"] == 0.0


REPEATS = (
    replace(sample("a/0", (0, 10)), query="A dog."),
    replace(sample("a/1", (0, 10)), query=" A  dog . "),
    replace(sample("a/2", (0, 20)), query="A dog."),
    replace(sample("b/0", (0, 10)), query="A dog."),
)


def once(**score):
    return replace(protocol(repeats="once", **score), prompt=PromptRule(query="sentence"))


def test_repeats_count_once_with_the_last_answer():
    predictions = [spans("a/0", (0, 1)), spans("a/1", (0, 10)), spans("b/0", (0, 10))]
    all_answered = result(once(), predictions, REPEATS)
    assert (all_answered.n_expected, all_answered.n_scored) == (4, 3)
    assert all_answered.metrics["mIoU"] == pytest.approx(200 / 3)
    first_missing = result(once(missing="drop"), [*predictions[:1], *predictions[2:]], REPEATS)
    assert (first_missing.n_scored, first_missing.metrics["mIoU"]) == (2, pytest.approx(55.0))
    last = result(once(missing="drop"), predictions[1:2], REPEATS)
    assert (last.n_scored, last.metrics["mIoU"]) == (1, 100.0)
    assert result(once(missing="drop"), [], REPEATS).n_scored == 0
    assert result(protocol(), predictions, REPEATS).n_scored == 4


def test_repeats_are_samples_with_the_same_question_in_the_prompt():
    as_written = replace(once(), prompt=PromptRule(query="as-is"))
    assert result(as_written, [], REPEATS).n_scored == 4


def test_a_clamped_target_begins_at_0_and_an_empty_one_leaves_the_denominator():
    samples = (sample("a/0", (-5, 10)), sample("b/0", (20, 30)))
    clamped = result(
        protocol(truth="clamp"), [spans("a/0", (0, 10)), spans("b/0", (0, 5))], samples
    )
    assert (clamped.n_scored, clamped.metrics["mIoU"]) == (1, 100.0)


def test_a_missing_duration_is_an_error_where_a_rule_needs_it():
    samples = (sample("a/0", (0, 10), duration=None),)
    for rules in (
        protocol(truth="clamp"),
        protocol(discounted=True),
        protocol(AnswerRule(unit="percent")),
    ):
        with pytest.raises(UserError, match="needs every video's duration, and a/0 has none"):
            metrics(rules, [], samples)
    assert metrics(protocol(), [], samples)["mIoU"] == 0.0


def test_discounted_recalls_are_reported_beside_the_plain_ones():
    values = metrics(protocol(discounted=True), [spans("a/0", (1, 9))], SAMPLES[:1])
    assert values["R1@0.5"] == 100.0
    assert values["dR1@0.5"] == pytest.approx(100 * 0.95 * 0.95)


def test_an_empty_answer_is_right_for_an_event_that_never_happens():
    values = metrics(protocol(discounted=True), [Prediction("b/0", spans=())], SAMPLES[2:])
    assert set(values.values()) == {100.0}


# TALL (jiyanggao/TALL, main.py): expected values computed by hand
WINDOWS = ((0.0, 4.0, 0.9), (0.0, 10.0, 0.8), (6.0, 10.0, 0.7), (30.0, 40.0, 0.95))


def tall(windows, truth):
    prediction = Prediction("a/0", spans=tuple(ScoredSpan(*window) for window in windows))
    return metrics(PROTOCOLS["tall@1"], [prediction], (sample("a/0", truth, duration=None),))


def test_a_rule_that_takes_the_last_span_leaves_nothing_to_rank_by_score():
    rule = protocol(AnswerRule(select="last"), order="score", ranks=(1, 5), thresholds=(0.5,))
    predictions = [Prediction("a/0", spans=(ScoredSpan(0, 10, 0.9), ScoredSpan(12, 14, 0.1)))]
    assert set(metrics(rule, predictions, SAMPLES[:1]).values()) == {0.0}
    backwards = [replace(predictions[0], spans=predictions[0].spans[::-1])]
    assert set(metrics(rule, backwards, SAMPLES[:1]).values()) == {100.0}


@pytest.mark.parametrize(
    ("rule", "true"),
    [
        (AnswerRule(reversed="swap"), (10, 5)),
        (AnswerRule(unit="percent"), (5, 10)),
        (AnswerRule(quantum=0.5), (5.1, 9.9)),
    ],
)
def test_scores_stay_with_their_spans_under_every_answer_rule(rule, true):
    predictions = [
        Prediction("a/0", spans=(ScoredSpan(0, 1, 0.1), ScoredSpan(true[0], true[1], 0.9)))
    ]
    ranked = metrics(protocol(rule, order="score"), predictions, (sample("a/0", (5, 10)),))
    assert set(ranked.values()) == {100.0}


def test_tall_ranks_by_score_and_suppresses_for_each_threshold():
    # ranked: [30, 40], [0, 4], [0, 10] (IoU 0.4 with the one before), [6, 10] (0.4 with that)
    recalls = tall(WINDOWS, (0, 10))
    assert [recalls[f"R1@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [0.0] * 5
    # up to 0.4 the suppression drops [0, 10]; [0, 4] reaches 0.4. At 0.5 it leaves [0, 10].
    assert [recalls[f"R5@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [100.0] * 5
    recalls = tall(WINDOWS, (1, 10))  # IoU of [0, 4] 0.3, of [6, 10] 4 / 9
    assert [recalls[f"R5@{t}"] for t in (0.3, 0.4, 0.5)] == [100.0, 100.0, 100.0]
    recalls = tall(WINDOWS[:2], (4, 10))  # IoU 0 and 0.6; [0, 10] is dropped up to 0.4
    assert [recalls[f"R5@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [0.0, 0.0, 0.0, 0.0, 100.0]


def test_tall_takes_the_later_of_equal_scores_first():
    values = tall(((0.0, 10.0, 0.5), (20.0, 30.0, 0.5)), (20, 30))
    assert (values["R1@0.5"], values["mIoU"]) == (100.0, 100.0)


def test_spans_without_scores_are_ranked_as_listed():
    predictions = [spans("a/0", (0, 10), (15, 20))]
    assert metrics(PROTOCOLS["tall@1"], predictions, SAMPLES[:1])["R1@0.5"] == 100.0


def test_nms_of_1_drops_only_spans_of_undefined_iou():
    predictions = [spans("a/0", (5, 5), (5, 5), (0, 10), (0, 10))]
    rules = protocol(nms=1.0, ranks=(1, 2, 3))
    suppressed = metrics(rules, predictions, SAMPLES[:1])
    assert (suppressed["R1@0.5"], suppressed["R2@0.5"]) == (0.0, 100.0)
    plain = metrics(protocol(ranks=(1, 2, 3)), predictions, SAMPLES[:1])
    assert (plain["R2@0.5"], plain["R3@0.5"]) == (0.0, 100.0)
