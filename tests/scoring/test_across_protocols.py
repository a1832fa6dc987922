import math

import pytest

from tests.grounding_case import CARD, SAMPLES, protocol, sample, spans
from vtg_eval.errors import UserError
from vtg_eval.protocol import AnswerRule, Protocol
from vtg_eval.scoring.across_protocols import protocol_scores, scores_across_protocols
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.score import score
from vtg_eval.types import Prediction

STRICT = protocol()


def rows(answers, *rules, samples=SAMPLES):
    result = score(CARD, samples, answers, STRICT, "test")
    return protocol_scores(
        result,
        scores_across_protocols(CARD, AnswerSet(samples, answers), map(Protocol, rules), "test"),
    )


def test_protocols_with_another_unit_are_left_out():
    rules = map(
        Protocol, [protocol(), protocol(AnswerRule(unit="percent")), protocol(comparator=">")]
    )
    results = scores_across_protocols(
        CARD, AnswerSet(SAMPLES, [spans("a/0", (0, 5))]), rules, "test"
    )
    assert [result.metrics["R1@0.5"] for result in results] == [100 / 3, 0.0]


def test_protocols_that_need_missing_durations_are_left_out_and_wrong_ones_raise():
    samples = (sample("a/0", (0, 10), duration=None),)
    answers = AnswerSet(samples, [Prediction("a/0", text="0 to 5")])
    rules = [Protocol(protocol(truth="clamp")), Protocol(protocol())]
    assert len(scores_across_protocols(CARD, answers, rules, "test")) == 1
    with pytest.raises(UserError, match="no answer parser"):
        misspelt = Protocol(protocol(AnswerRule(parser="stict")))
        scores_across_protocols(CARD, answers, [misspelt], "test")


def test_equal_metrics_do_not_differ():
    (row,) = rows([spans("a/0", (0, 5))], STRICT)
    assert (row.differs, row.why) == (False, ())


def test_a_smaller_denominator_is_a_reason():
    (row,) = rows([spans("a/0", (0, 5))], protocol(missing="drop"))
    assert (row.differs, row.n_scored) == (True, 1)
    assert row.why == ("2 fewer in the denominator",)


def test_comparator_parser_and_nan_are_reasons():
    answers = [
        spans("a/0", (0, 5)),
        Prediction("a/1", text="[1, 2] or from 5 to 10"),
        spans("b/0", (math.nan, 3)),
    ]
    other = protocol(
        AnswerRule(parser="to-or-and"), comparator=">", non_finite="truth-first", nms=0.5
    )
    (row,) = rows(answers, other)
    assert row.differs
    assert row.why == (
        "parsed differently: 1 answers",
        "IoU >",
        "times that are not numbers may count as hits: 1 answers",
    )


def test_a_metric_that_is_nan_differs():
    (row,) = rows([spans("a/0", (math.nan, 5))], protocol(non_finite="spread"))
    assert (row.differs, row.metrics["mIoU"]) == (True, None)


def test_figures_that_no_sample_counts_in_do_not_differ():
    drops = protocol(missing="drop")
    none = score(CARD, SAMPLES, [], drops, "test")
    (row,) = protocol_scores(none, [score(CARD, SAMPLES, [], drops, "test")])
    assert (row.n_scored, row.differs, row.metrics["mIoU"]) == (0, False, None)


def test_a_never_that_a_parser_does_not_know_is_a_reason():
    (row,) = rows([Prediction("b/0", text="never")], protocol(AnswerRule(parser="timelens")))
    assert (row.differs, row.why) == (True, ("parsed differently: 1 answers",))


def test_a_protocol_that_needs_durations_is_left_out_of_the_rows_without_them():
    no_durations = (sample("a/0", (0, 10), duration=None),)
    scores = rows([spans("a/0", (0, 5))], STRICT, protocol(truth="clamp"), samples=no_durations)
    assert [row.n_scored for row in scores] == [1]
