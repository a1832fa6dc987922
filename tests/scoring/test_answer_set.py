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


def test_protocols_with_the_same_answer_rules_share_parsed_answers():
    answers = AnswerSet(SAMPLES, ANSWERS)
    first = answers.parse(protocol(comparator=">", thresholds=(0.1,)))
    assert answers.parse(protocol(comparator=">=", missing="drop")) is first
    assert answers.parse(protocol(duplicates="last")) is not first
    assert answers.parse(protocol(AnswerRule(reversed="swap"))) is not first


def test_the_score_does_not_depend_on_protocols_parsed_before():
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
    answers = AnswerSet(SAMPLES, ANSWERS)
    for rule in (*rules, *reversed(rules)):
        shared = score_answers(CARD, answers, rule, "test")
        fresh = score(CARD, SAMPLES, ANSWERS, rule, "test")
        assert (shared.parsed_answers, shared.metrics) == (fresh.parsed_answers, fresh.metrics)
        assert shared.failures == fresh.failures


def test_the_duplicates_rule_chooses_the_record():
    samples = [sample for sample in SAMPLES if sample.id == "b/0"]
    parsed = {
        rule: AnswerSet(samples, ANSWERS).parse(protocol(duplicates=rule))
        for rule in ("first", "last")
    }
    assert parsed["first"].parsed_answers[0].spans == (Span(9, 3),)
    assert parsed["last"].parsed_answers[0].absent
    for answers in parsed.values():
        assert answers.failures[Failure.DUPLICATE] == 2
        assert answers.failures[Failure.UNKNOWN_ID] == 3
