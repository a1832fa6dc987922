"""The grounding family: what its rules do to a table of metrics, and what must hold for all."""

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
    name: found.for_task("tiny", "grounding")
    for name, found in Registry.discover().protocols.items()
    if found.covers("tiny", "grounding")
}
# whatever a model or a file may say
wild = st.one_of(st.floats(), st.integers(0, 40).map(float))
tame = st.integers(0, 40).map(lambda n: n / 2)


def lists(time):
    return st.lists(st.tuples(time, time), min_size=1, max_size=6)


def answers(time):
    """An answer to some of the samples, some of them with scores."""
    return st.lists(
        st.builds(
            lambda name, given, scored: Prediction(
                name,
                spans=(
                    tuple(
                        ScoredSpan(start, end, float(k % 3)) for k, (start, end) in enumerate(given)
                    )
                    if scored
                    else tuple(Span(*each) for each in given)
                ),
            ),
            st.sampled_from([s.id for s in SAMPLES]),
            lists(time),
            st.booleans(),
        ),
        max_size=3,
        unique_by=lambda answer: answer.id,
    )


def metrics(rules, predictions, samples=SAMPLES):
    return score(CARD, samples, predictions, rules, "test").metrics


def result(rules, predictions, samples=SAMPLES):
    return score(CARD, samples, predictions, rules, "test")


def same(first, second):
    return first == pytest.approx(second, nan_ok=True, abs=0)


@pytest.mark.parametrize("name", PROTOCOLS)
@given(answers(wild), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(name, predictions, draw):
    shuffled = draw.sample(predictions, len(predictions))
    assert same(metrics(PROTOCOLS[name], shuffled), metrics(PROTOCOLS[name], predictions))


@given(answers(tame), lists(tame))
def test_a_wrong_answer_never_raises_the_strict_score(predictions, other):
    """Wrong: for a sample that has an answer, or after the spans of one."""
    strict, before = PROTOCOLS["strict@1"], None
    before = metrics(strict, predictions)
    for answer in predictions:
        again = spans(answer.id, *other)
        first = tuple(Span(span.start, span.end) for span in answer.spans)
        longer = replace(answer, spans=first + again.spans)
        changed = [longer if each.id == answer.id else each for each in predictions]
        for after in (metrics(strict, [*predictions, again]), metrics(strict, changed)):
            assert all(after[name] <= before[name] for name in before)


@given(answers(tame))
def test_a_wrong_answer_where_there_was_none_does_not_raise_the_strict_score(predictions):
    strict = PROTOCOLS["strict@1"]
    before = metrics(strict, predictions)
    missing = {s.id for s in SAMPLES} - {answer.id for answer in predictions}
    after = metrics(strict, [*predictions, *(spans(name, (40, 50)) for name in missing)])
    assert after == before


@pytest.mark.parametrize(
    "name", [name for name, found in PROTOCOLS.items() if found.score.non_finite == "zero"]
)
@given(answers(wild))
def test_no_figure_is_nan_where_non_finite_times_count_nothing(name, predictions):
    assert all(0 <= value <= 100 for value in metrics(PROTOCOLS[name], predictions).values())


@pytest.mark.parametrize("name", PROTOCOLS)
@given(answers(wild))
def test_recalls_are_percentages_under_every_protocol(name, predictions):
    found = metrics(PROTOCOLS[name], predictions)
    assert all(0 <= value <= 100 for key, value in found.items() if "@" in key)


def test_a_nan_answer_under_each_rule():
    told = [spans("a/0", (NAN, NAN))]
    for rule, expected in (("zero", 0.0), ("truth-first", 100.0), ("signed", 100.0)):
        assert metrics(protocol(non_finite=rule), told, SAMPLES[:1])["mIoU"] == expected
    found = metrics(protocol(non_finite="spread", average=True), told, SAMPLES[:1])
    assert math.isnan(found["mIoU"]) and math.isnan(found["avg"])
    assert found["R1@0.3"] == 0.0


def test_what_is_undefined_may_leave_the_denominator():
    samples = (sample("a/0", (5, 5)), sample("b/0", (0, 10)))
    told = [spans("a/0", (5, 5)), spans("b/0", (0, 10))]
    dropped = result(protocol(non_finite="signed", undefined="drop"), told, samples)
    assert (dropped.n_scored, dropped.metrics["mIoU"]) == (1, 100.0)
    kept = result(protocol(non_finite="signed"), told, samples)
    assert kept.n_scored == 2 and math.isnan(kept.metrics["mIoU"])


def test_a_reversed_answer_overlaps_a_reversed_target_under_the_signed_rule_only():
    samples, told = (sample("a/0", (9, 3)),), [spans("a/0", (9, 3))]
    assert metrics(protocol(non_finite="signed"), told, samples)["mIoU"] == 100.0
    assert metrics(protocol(), told, samples)["mIoU"] == 0.0


REPEATS = (
    replace(sample("a/0", (0, 10)), query="A dog."),
    replace(sample("a/1", (0, 10)), query=" A  dog . "),
    replace(sample("a/2", (0, 20)), query="A dog."),
    replace(sample("b/0", (0, 10)), query="A dog."),
)


def once(**score):
    return replace(protocol(repeats="once", **score), prompt=PromptRule(query="sentence"))


def test_repeats_count_once_with_the_last_answer():
    told = [spans("a/0", (0, 1)), spans("a/1", (0, 10)), spans("b/0", (0, 10))]
    found = result(once(), told, REPEATS)
    assert (found.n_expected, found.n_scored) == (4, 3)
    assert found.metrics["mIoU"] == pytest.approx(200 / 3)
    each = result(once(missing="drop"), [*told[:1], *told[2:]], REPEATS)
    assert (each.n_scored, each.metrics["mIoU"]) == (2, pytest.approx(55.0))
    last = result(once(missing="drop"), told[1:2], REPEATS)
    assert (last.n_scored, last.metrics["mIoU"]) == (1, 100.0)
    assert result(once(missing="drop"), [], REPEATS).n_scored == 0
    assert result(protocol(), told, REPEATS).n_scored == 4


def test_repeats_are_told_by_the_question_as_it_is_asked():
    as_written = replace(once(), prompt=PromptRule(query="as-is"))
    assert result(as_written, [], REPEATS).n_scored == 4


def test_a_clamped_target_begins_at_0_and_an_empty_one_leaves_the_denominator():
    samples = (sample("a/0", (-5, 10)), sample("b/0", (20, 30)))
    found = result(protocol(truth="clamp"), [spans("a/0", (0, 10)), spans("b/0", (0, 5))], samples)
    assert (found.n_scored, found.metrics["mIoU"]) == (1, 100.0)


def test_durations_are_asked_for_where_they_are_needed():
    samples = (sample("a/0", (0, 10), duration=None),)
    for rules in (
        protocol(truth="clamp"),
        protocol(discounted=True),
        protocol(AnswerRule(unit="percent")),
    ):
        with pytest.raises(UserError, match="needs every video's duration, and a/0 has none"):
            metrics(rules, [], samples)
    assert metrics(protocol(), [], samples)["mIoU"] == 0.0


def test_discounted_recalls_stand_beside_the_plain_ones():
    found = metrics(protocol(discounted=True), [spans("a/0", (1, 9))], SAMPLES[:1])
    assert found["R1@0.5"] == 100.0
    assert found["dR1@0.5"] == pytest.approx(100 * 0.95 * 0.95)


def test_an_event_that_never_happens_is_found_by_saying_so():
    found = metrics(protocol(discounted=True), [Prediction("b/0", spans=())], SAMPLES[2:])
    assert set(found.values()) == {100.0}


# TALL (jiyanggao/TALL, main.py): figures worked out by hand.
WINDOWS = ((0.0, 4.0, 0.9), (0.0, 10.0, 0.8), (6.0, 10.0, 0.7), (30.0, 40.0, 0.95))


def tall(windows, truth):
    told = Prediction("a/0", spans=tuple(ScoredSpan(*window) for window in windows))
    return metrics(PROTOCOLS["tall@1"], [told], (sample("a/0", truth, duration=None),))


def test_a_rule_that_takes_the_last_span_leaves_nothing_to_rank_by_score():
    rule = protocol(AnswerRule(select="last"), order="score", ranks=(1, 5), thresholds=(0.5,))
    told = [Prediction("a/0", spans=(ScoredSpan(0, 10, 0.9), ScoredSpan(12, 14, 0.1)))]
    assert set(metrics(rule, told, SAMPLES[:1]).values()) == {0.0}
    turned = [replace(told[0], spans=told[0].spans[::-1])]
    assert set(metrics(rule, turned, SAMPLES[:1]).values()) == {100.0}


@pytest.mark.parametrize(
    ("rule", "true"),
    [
        (AnswerRule(reversed="swap"), (10, 5)),
        (AnswerRule(unit="percent"), (5, 10)),
        (AnswerRule(quantum=0.5), (5.1, 9.9)),
    ],
)
def test_scores_stay_with_their_spans_however_the_times_are_read(rule, true):
    told = [Prediction("a/0", spans=(ScoredSpan(0, 1, 0.1), ScoredSpan(true[0], true[1], 0.9)))]
    ranked = metrics(protocol(rule, order="score"), told, (sample("a/0", (5, 10)),))
    assert set(ranked.values()) == {100.0}


def test_tall_ranks_by_score_and_suppresses_for_each_threshold():
    # ranked: [30, 40], [0, 4], [0, 10] (IoU 0.4 with the one before), [6, 10] (0.4 with that)
    found = tall(WINDOWS, (0, 10))
    assert [found[f"R1@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [0.0] * 5
    # up to 0.4 the suppression drops [0, 10]; [0, 4] reaches 0.4. At 0.5 it leaves [0, 10].
    assert [found[f"R5@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [100.0] * 5
    found = tall(WINDOWS, (1, 10))  # [0, 4] has 0.3, [6, 10] 4 / 9
    assert [found[f"R5@{t}"] for t in (0.3, 0.4, 0.5)] == [100.0, 100.0, 100.0]
    found = tall(WINDOWS[:2], (4, 10))  # [0, 4] has 0, [0, 10] has 0.6 and goes up to 0.4
    assert [found[f"R5@{t}"] for t in (0.1, 0.2, 0.3, 0.4, 0.5)] == [0.0, 0.0, 0.0, 0.0, 100.0]


def test_tall_takes_the_later_of_equal_scores_first():
    found = tall(((0.0, 10.0, 0.5), (20.0, 30.0, 0.5)), (20, 30))
    assert (found["R1@0.5"], found["mIoU"]) == (100.0, 100.0)


def test_spans_without_scores_are_ranked_as_listed():
    told = [spans("a/0", (0, 10), (15, 20))]
    assert metrics(PROTOCOLS["tall@1"], told, SAMPLES[:1])["R1@0.5"] == 100.0


def test_nms_of_1_drops_only_what_has_no_overlap_in_numbers():
    told = [spans("a/0", (5, 5), (5, 5), (0, 10), (0, 10))]
    rules = protocol(nms=1.0, ranks=(1, 2, 3))
    found = metrics(rules, told, SAMPLES[:1])
    assert (found["R1@0.5"], found["R2@0.5"]) == (0.0, 100.0)
    without = metrics(protocol(ranks=(1, 2, 3)), told, SAMPLES[:1])
    assert (without["R2@0.5"], without["R3@0.5"]) == (0.0, 100.0)
