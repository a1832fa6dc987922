"""Every number that the official script of TempCompass prints, as a user gets it."""

import ast

import pytest

from tests.golden_case import golden, score_predictions
from tests.reference_data import needs_both

pytestmark = needs_both


@pytest.fixture(scope="module")
def official():
    """Aspects with their average, finer aspects, the share of matched answers; all in percent."""
    stdout = golden("tempcompass/multi-choice_seed71.official.json")["stdout"]
    _, aspects, finer, matched = stdout.splitlines()
    return ast.literal_eval(aspects), ast.literal_eval(finer), float(matched.split("=")[1])


@pytest.fixture(scope="module")
def texts():
    """The text of each answer, by the sample's id."""
    return {
        f"{video}/{aspect}/{k}": row["prediction"]
        for video, aspects in golden("tempcompass/multi-choice_seed71.preds.json").items()
        for aspect, rows in aspects.items()
        for k, row in enumerate(rows)
    }


@pytest.fixture
def score(tmp_path):
    def run(texts, split="multi_choice"):
        predictions = [{"id": name, "text": text} for name, text in texts.items()]
        return score_predictions(tmp_path, "tempcompass", "tempcompass@1", predictions, split=split)

    return run


def test_aspects_and_average(score, texts, official):
    metrics = score(texts)["metrics"]
    metrics["avg"] = metrics.pop("accuracy")
    assert metrics == official[0]


def test_finer_aspects(score, texts, official):
    accuracies = {
        row["group"]: round(row["metrics"]["accuracy"], 1)
        for row in score(texts)["groups"]
        if row["grouping"] == "fine-grained aspect"
    }
    assert accuracies == official[1]


def test_match_success_rate(score, texts, official):
    results = score(texts)
    matched = results["n_scored"] - results["failures"]["unparsed"]
    assert round(matched / results["n_scored"] * 100, 1) == official[2]


def test_missing_answers_leave_the_denominator_and_empty_ones_do_not(score, texts):
    names = list(texts)[:11]
    results = score({name: texts[name] for name in names[:10]} | {names[10]: None})
    assert (results["n_scored"], results["failures"]["missing"]) == (11, 1580 - 11)


@pytest.mark.parametrize(
    ("split", "texts", "accuracy"),
    [
        # the right answers are yes, yes, yes, yes, no, no
        ("yes_no", ["Yes.", "no", "YES</s>", " yes", "Nothing", ""], 50.0),
        # Option 2 of Options, A of Sentences, A of Captions
        ("caption_matching", ["Option 2.", "A) A man is dunking a basketball.", "A"], 66.7),
    ],
)
def test_accuracy_on_the_other_splits(score, split, texts, accuracy):
    answers = {f"1034419625/action/{k}": text for k, text in enumerate(texts)}
    assert score(answers, split)["metrics"]["accuracy"] == accuracy
