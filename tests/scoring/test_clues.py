"""CG-Bench's metrics by both scripts: parsing, denominators and rounding."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding_case import CARD as TINY
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Group, OutputType, Prediction, Sample, Span, Target

CARD = replace(TINY, name="cgbench", metric_family="clues")
REGISTRY = Registry.discover()
STRICT = REGISTRY.protocol_for(CARD, "strict@2")
OFFICIAL, VLMEVALKIT = (
    REGISTRY.protocol_for(CARD, "cg-bench@1"),
    REGISTRY.protocol_for(CARD, "vlmevalkit-cg-bench@1"),
)


def record(name, *clues):
    """The three samples of a record of 100 s whose answer is B."""
    spans = tuple(Span(*clue) for clue in clues)
    options = ("w", "x", "y", "z")

    def sample(kind, target, asks):
        groups = (Group("kind", kind),)
        return Sample(f"{name}/{kind}", name, "q", target, 100.0, options, groups, asks=asks)

    return [
        sample("long_acc", Target(choice="B"), OutputType.CHOICE),
        sample("clue_acc", Target(choice="B"), OutputType.CHOICE),
        sample("miou", Target(spans), OutputType.SPANS),
    ]


SAMPLES = [*record("1", (0, 10)), *record("2", (20, 30), (50, 60)), *record("3", (5, 10))]


def fenced(result):
    return f'```json\n{{"result": {json.dumps(result)}}}\n```'


def predictions(answers):
    return [Prediction(name, text=text) for name, text in answers.items()]


def same(first, second):
    return first == pytest.approx(second, nan_ok=True, abs=0)


def run(answers, protocol, samples=SAMPLES):
    return score(CARD, samples, predictions(answers), protocol, "mini")


def miou(text, protocol, clues=((10, 20),)):
    """The mIoU of one answer, None where it is left out."""
    result = run({"9/miou": text}, protocol, record("9", *clues))
    return result.metrics["mIoU"] if result.n_scored else None


@pytest.mark.parametrize(
    ("text", "official", "vlmevalkit"),
    [
        (fenced([[10, 20]]), 100, 100),
        (fenced([[10, 15], [15, 20]]), 100, 100),
        (fenced([[10, 14], [12, 20]]), 100, 100),
        (fenced([10, 20]), 100, 100),
        (fenced([[0.1, 0.2]]), 0, 100),
        (fenced([[-5, 0.2]]), 0, 1.92),
        (fenced([]), 0, None),
        (fenced("x"), 0, None),
        (fenced("5 s"), None, None),
        (fenced([[0, 10], [30, 20]]), 0, 0),
        ("10 - 20", 100, 100),
        ("10 - 20 and 30", None, 100),
        ("10 - 14, 12 - 20", None, 100),
        ("0.1 - 0.2", 0, 0),
        ("none", 0, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_each_scripts_miou_of_one_answer(text, official, vlmevalkit):
    assert (miou(text, OFFICIAL), miou(text, VLMEVALKIT)) == pytest.approx((official, vlmevalkit))


def test_a_negative_length_counts_in_the_official_script_and_not_under_strict():
    text = fenced([[0, 10], [30, 20]])
    assert miou(text, OFFICIAL, [(0, 20)]) == 100
    predictions = [Prediction("9/miou", spans=(Span(0, 10), Span(30, 20)))]
    assert score(CARD, record("9", (0, 20)), predictions, STRICT, "mini").metrics["mIoU"] == 50


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (fenced("B"), True),
        ('```json\n{"result": B}\n```', True),
        (fenced("A"), False),
        (fenced(None), False),
        ("A or B", True),
        ("the answer is B.", True),
        ("b", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("protocol", [OFFICIAL, VLMEVALKIT], ids=lambda p: p.name)
def test_letters_as_both_scripts_parse_them(protocol, text, right):
    result = run({"9/long_acc": text}, protocol, record("9", (1, 2)))
    assert result.n_scored == (right is not None)
    assert same(result.metrics["long-acc"], math.nan if right is None else 100 * right)


def test_the_comparators_differ_where_iou_is_the_threshold():
    answers = {"1/miou": fenced([[0, 5]]), "1/long_acc": "B"}
    official, vlmevalkit = (run(answers, rules).metrics for rules in (OFFICIAL, VLMEVALKIT))
    assert official["rec@0.5"] == official["acc@0.5"] == 100
    assert vlmevalkit["rec@0.5"] == vlmevalkit["acc@0.5"] == 0
    assert vlmevalkit["rec@IoU"] == 80


def test_each_metric_has_its_own_denominator_in_the_official_script():
    answers = {
        "1/miou": fenced([[0, 10]]),
        "2/miou": fenced([[0, 1]]),
        "1/long_acc": "B",
        "2/long_acc": "?",
        "3/long_acc": "C",
    }
    official = run(answers, OFFICIAL)
    assert (official.metrics["mIoU"], official.metrics["long-acc"]) == (50, 50)
    assert (official.metrics["rec@0.5"], official.metrics["acc@0.5"]) == (50, 100)
    assert official.n_scored == 4
    strict = run(answers, STRICT)
    assert strict.n_scored == 9 and strict.metrics["long-acc"] == pytest.approx(100 / 3)


def test_the_recovery_rate_is_computed_before_rounding():
    # 5 of 7 over 6 of 7: 0.8333; of the rounded 0.7143 and 0.8571 it would be 0.8334
    samples = [s for k in range(7) for s in record(str(k), (0, 10))]
    answers = {f"{k}/long_acc": "B" if k < 5 else "C" for k in range(7)}
    answers |= {f"{k}/clue_acc": "B" if k < 6 else "C" for k in range(7)}
    metrics = run(answers, VLMEVALKIT, samples).metrics
    assert (metrics["long-acc"], metrics["clue-acc"], metrics["CRR"]) == (71.43, 85.71, 83.33)


def test_the_recovery_rate_is_at_most_100_and_0_without_clues():
    answers = {"1/long_acc": "B", "1/clue_acc": "B", "2/clue_acc": "C"}
    assert run(answers, VLMEVALKIT).metrics["CRR"] == 100
    assert run(answers | {"1/clue_acc": "C"}, VLMEVALKIT).metrics["CRR"] == 0


def test_the_mean_over_thresholds_is_of_rounded_values_in_vlmevalkit_only():
    samples = [s for k in range(3) for s in record(str(k), (0, 10))]
    spans = [[[0, 10]], [[0, 10]], [[0, 1.5]]]
    answers = {f"{k}/miou": fenced(result) for k, result in enumerate(spans)}
    assert run(answers, VLMEVALKIT, samples).metrics["rec@IoU"] == 73.34  # 100 and four times 66.67
    assert run(answers, OFFICIAL, samples).metrics["rec@IoU"] == 11 / 15 * 100


def test_every_metric_has_an_interval():
    result = run({"1/miou": fenced([[0, 10]]), "1/long_acc": "B", "1/clue_acc": "B"}, STRICT)
    assert result.intervals.keys() == result.metrics.keys()


names = st.sampled_from([s.id for s in SAMPLES])
texts = st.sampled_from(["B", "C", "0 - 10", "20 - 30, 50 - 60", "5 - 7", "never", "?"])
ANSWERS = st.dictionaries(names, texts)
WRONG = {"long_acc": "C", "clue_acc": "C", "miou": "90 - 95"}


@given(ANSWERS, names)
def test_a_further_wrong_answer_never_raises_a_strict_score(answers, name):
    wrong = Prediction(name, text=WRONG[name.split("/")[1]])
    before = score(CARD, SAMPLES, predictions(answers), STRICT, "mini").metrics
    after = score(CARD, SAMPLES, [*predictions(answers), wrong], STRICT, "mini").metrics
    assert all(after[key] <= before[key] for key in before)


@given(ANSWERS, st.randoms(use_true_random=False))
@pytest.mark.parametrize("protocol", [STRICT, OFFICIAL, VLMEVALKIT], ids=lambda p: p.name)
def test_the_order_of_the_answers_does_not_matter(protocol, answers, random):
    shuffled = dict(random.sample([*answers.items()], len(answers)))
    assert same(run(answers, protocol).metrics, run(shuffled, protocol).metrics)


def test_non_finite_times_make_no_metric_nan():
    spans = tuple(Span(*pair) for pair in [(math.nan, 5), (0, math.inf), (-math.inf, math.nan)])
    for protocol in (STRICT, OFFICIAL, VLMEVALKIT):
        result = score(CARD, SAMPLES, [Prediction("1/miou", spans=spans)], protocol, "mini")
        columns = result.table.columns
        counted = {name for name, column in columns.items() if column.counted.any()}
        assert counted and all(math.isfinite(result.metrics[name]) for name in counted)
