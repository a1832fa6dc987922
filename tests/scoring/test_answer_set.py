from tests.grounding_case import CARD, SAMPLES, protocol, spans
from vtg_eval.failures import Failure
from vtg_eval.protocol import AnswerRule
from vtg_eval.registry import Registry
from vtg_eval.scoring.answer_set import AnswerSet
from vtg_eval.scoring.score import score, score_answers
from vtg_eval.types import Prediction, ScoredSpan, Span

ANSWERS = (
    spans("a/0", (0, 5)),
    Prediction("a/1", text="from 5 to 10, or 1 to 2"),
    Prediction("b/0", spans=(ScoredSpan(9, 3, 0.5),)),
    Prediction("b/0", spans=(ScoredSpan(1, 2, 0.7),)),
    Prediction("b/0", text="never"),
    Prediction("nobody", text="1 to 2"),
)


def test_protocols_that_read_alike_share_what_was_read():
    answers = AnswerSet(SAMPLES, ANSWERS)
    first = answers.read(protocol(comparator=">", thresholds=(0.1,)))
    assert answers.read(protocol(comparator=">=", missing="drop")) is first
    assert answers.read(protocol(duplicates="last")) is not first
    assert answers.read(protocol(AnswerRule(reversed="swap"))) is not first


def test_whatever_was_read_before_the_score_is_the_same():
    rules = [
        protocol(),
        protocol(duplicates="last"),
        protocol(duplicates="pool"),
        protocol(AnswerRule(select="last", reversed="swap")),
        *(
            p.for_task("tiny", CARD.metric_family)
            for p in Registry.discover().protocols.values()
            if p.covers("tiny", CARD.metric_family)
        ),
    ]
    known = AnswerSet(SAMPLES, ANSWERS)
    for each in (*rules, *reversed(rules)):
        one, other = (
            score_answers(CARD, known, each, "test"),
            score(CARD, SAMPLES, ANSWERS, each, "test"),
        )
        assert (one.parsed_answers, one.metrics, one.failures) == (
            *(other.parsed_answers, other.metrics),
            other.failures,
        )


def test_the_duplicates_rule_chooses_the_record():
    samples = [each for each in SAMPLES if each.id == "b/0"]
    read = {
        rule: AnswerSet(samples, ANSWERS).read(protocol(duplicates=rule))
        for rule in ("first", "last")
    }
    assert read["first"].parsed_answers[0].spans == (Span(9, 3),)
    assert read["last"].parsed_answers[0].absent
    for each in read.values():
        assert each.failures[Failure.DUPLICATE] == 2
        assert each.failures[Failure.UNKNOWN_ID] == 3
