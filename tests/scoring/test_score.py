import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD, SAMPLES, protocol, sample, spans
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.protocol import AnswerRule
from vtg_eval.scoring.score import bootstrap, score
from vtg_eval.types import Prediction, Span

STRICT = protocol()


def run(predictions, samples=SAMPLES, rules=STRICT):
    return score(CARD, samples, predictions, rules, "test")


def one(prediction, rules=STRICT, target=(0.0, 10.0)):
    return run([prediction], (sample("a/0", target),), rules)


def test_all_samples_count_and_failures_are_counted_by_kind():
    result = run([spans("a/0", (0, 5)), spans("zzz", (0, 1)), spans("a/0", (0, 10))])
    assert (result.n_expected, result.n_scored) == (3, 3)
    assert result.values.tolist() == [0.5, 0.0, 0.0]
    assert result.failures == {"missing": 2, "unknown_id": 1, "duplicate": 1}
    assert result.metrics["mIoU"] == 50 / 3


def test_best_occurrence_counts_and_a_protocol_may_take_the_first():
    answers = [spans("a/1", (15, 20))]
    assert run(answers).values[1] == 1.0
    assert run(answers, rules=protocol(occurrences="first")).values[1] == 0.0


def test_an_event_that_never_happens_needs_an_explicit_never():
    assert run([Prediction("b/0", text="never")]).values[2] == 1.0
    assert run([spans("b/0")]).values[2] == 1.0
    silent = run([Prediction("b/0", text="hm")])
    assert (silent.values[2], silent.failures["unparsed"]) == (0.0, 1)
    wrong = run([spans("b/0", (0, 10))])
    assert (wrong.values[2], wrong.failures["false_present"]) == (0.0, 1)


@pytest.mark.parametrize(
    ("prediction", "kinds"),
    [
        (Prediction("a/0", text="never"), {"false_absent"}),
        (spans("a/0"), {"false_absent"}),
        (spans("a/0", (10, 0)), {"reversed"}),
        (spans("a/0", (3, 3)), {"zero_length"}),
        (spans("a/0", (math.nan, 10)), {"non_finite"}),
        (spans("a/0", (0, math.inf)), {"non_finite"}),
        (Prediction("a/0", text="1e400 - 3"), {"non_finite"}),
        (Prediction("a/0", failure=Failure.UNDECODABLE), {"undecodable"}),
        (Prediction("a/0", text="<think>", failure=Failure.TRUNCATED), {"truncated"}),
        (Prediction("a/0"), {"unparsed"}),
    ],
)
def test_failures_score_0(prediction, kinds):
    result = one(prediction)
    assert (result.metrics["mIoU"], set(result.failures)) == (0.0, kinds)


@pytest.mark.parametrize(
    ("span", "kinds", "iou"),
    [
        ((0, 20), {"whole_video"}, 0.5),
        ((0, 40), {"whole_video", "out_of_range"}, 0.25),
        ((-10, 10), {"out_of_range"}, 0.5),
        ((0, 10), set(), 1.0),
    ],
)
def test_unusual_spans_are_counted_as_failures_and_scored(span, kinds, iou):
    result = one(spans("a/0", span))
    assert (set(result.failures), result.values[0]) == (kinds, iou)


def test_a_truncated_answer_is_read_all_the_same():
    result = one(Prediction("a/0", text="0 - 10 and", failure=Failure.TRUNCATED))
    assert (result.values[0], result.failures) == (1.0, {"truncated": 1})


def test_protocols_that_drop_missing_answers_leave_unanswered_samples_out():
    result = run([spans("a/0", (0, 10))], rules=protocol(missing="drop"))
    assert (result.n_scored, result.metrics["mIoU"]) == (1, 100.0)
    undecodable = run(
        [Prediction("a/0", failure=Failure.UNDECODABLE)], rules=protocol(missing="drop")
    )
    assert undecodable.n_scored == 0 and math.isnan(undecodable.metrics["mIoU"])
    empty = run([Prediction("a/0")], rules=protocol(missing="drop"))
    assert empty.n_scored == 1


def test_reversed_select_quantum_and_unit_rules():
    reversed_ = spans("a/0", (10, 0))
    assert one(reversed_, protocol(AnswerRule(reversed="swap"))).values[0] == 1.0
    several = spans("a/0", (10, 20), (0, 10))
    assert one(several).values[0] == 0.0
    assert one(several, protocol(AnswerRule(select="last"))).values[0] == 1.0
    rough = spans("a/0", (0.4, 9.6))
    assert one(rough, protocol(AnswerRule(quantum=1.0))).values[0] == 1.0
    percent = protocol(AnswerRule(parser="two-digits", unit="percent"))
    assert one(Prediction("a/0", text="from 00 to 50"), percent).values[0] == 1.0
    assert one(spans("a/0", (0, 10)), percent).values[0] == 1.0
    assert one(spans("a/0", (0, math.nan)), percent).failures == {"non_finite": 1}


def test_a_protocol_may_take_the_last_duplicate():
    answers = [spans("a/0", (0, 5)), spans("a/0", (0, 10))]
    assert run(answers).values[0] == 0.5
    assert run(answers, rules=protocol(duplicates="last")).values[0] == 1.0


def test_a_clamped_target_that_is_empty_leaves_the_denominator():
    beyond = (sample("a/0", (0, 40)), sample("b/0", (25, 40)))
    result = run([spans("a/0", (0, 20))], beyond, protocol(truth="clamp"))
    assert (result.n_scored, result.metrics["mIoU"]) == (1, 100.0)
    with pytest.raises(UserError, match="a/0"):
        run([], (sample("a/0", (0, 1), duration=None),), protocol(truth="clamp"))


def test_ranked_recall_never_counts_a_nan():
    rules = protocol(ranks=(1, 5), nms=0.45)
    result = one(spans("a/0", (math.nan, math.nan), (0, 10)), rules)
    assert set(result.metrics.values()) == {0.0}
    assert one(spans("a/0", (12, 20), (0, 10)), rules).metrics["R5@0.7"] == 100.0


values = st.one_of(st.floats(), st.integers(-5, 40).map(float))
answers = st.lists(
    st.builds(
        lambda name, pairs: Prediction(name, spans=tuple(Span(*pair) for pair in pairs)),
        st.sampled_from(["a/0", "a/1", "b/0", "zzz"]),
        st.lists(st.tuples(values, values), max_size=3),
    ),
    unique_by=lambda p: p.id,
)


@given(answers, st.randoms(use_true_random=False))
def test_order_does_not_matter(predictions, random):
    shuffled = random.sample(predictions, len(predictions))
    assert run(shuffled).metrics == run(predictions).metrics
    assert run(shuffled).failures == run(predictions).failures


@given(answers)
def test_only_valid_first_spans_score(predictions):
    result = run(predictions)
    for parsed, iou in zip(result.parsed_answers, result.values, strict=True):
        span, kinds = parsed.span, parsed.kinds
        if iou > 0 and span is not None:
            assert math.isfinite(span.start) and span.start < span.end < math.inf
            assert not {"reversed", "zero_length", "non_finite"} & set(kinds)


def test_intervals_hold_the_score():
    samples = tuple(sample(f"{video}/0", (0.0, 10.0)) for video in "abcdefgh")
    result = run([spans(s.id, (0, 3 + n)) for n, s in enumerate(samples)], samples)
    for name, interval in bootstrap(result, resamples=2000).items():
        assert interval.low <= result.metrics[name] <= interval.high
        assert name != "mIoU" or interval.low < interval.high


def test_rare_hits_have_an_interval_with_width():
    samples = tuple(sample(f"{chr(256 + video)}/0", (0.0, 10.0)) for video in range(40))
    for hits in (0, 1, 3):
        answers = [
            spans(s.id, (0, 10) if row < hits else (20, 30)) for row, s in enumerate(samples)
        ]
        result = run(answers, samples)
        for name, interval in bootstrap(result, resamples=2000).items():
            assert 0 <= interval.low <= result.metrics[name] < interval.high < 30
        assert (hits == 0) == (result.intervals["mIoU"].low == 0)
