"""Every number that TempCompass' own script prints, as a user gets it."""

import ast
import json

import pytest

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both


@pytest.fixture(scope="module")
def official():
    """Aspects with their average, finer aspects, the share of matched answers; all in percent."""
    path = GOLDEN / "tempcompass/multi-choice_seed71.official.json"
    _, aspects, finer, matched = json.loads(path.read_text())["stdout"].splitlines()
    return ast.literal_eval(aspects), ast.literal_eval(finer), float(matched.split("=")[1])


@pytest.fixture(scope="module")
def records():
    path = GOLDEN / "tempcompass/multi-choice_seed71.preds.json"
    return [
        (f"{video}/{aspect}/{k}", row["prediction"])
        for video, aspects in json.loads(path.read_text()).items()
        for aspect, rows in aspects.items()
        for k, row in enumerate(rows)
    ]


@pytest.fixture
def score(tmp_path):
    def run(answers, split="multi_choice"):
        predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        lines = (json.dumps({"id": name, "text": text}) for name, text in answers)
        predictions.write_text("\n".join(lines))
        words = ["score", "--task", "tempcompass", "--split", split, "--data-root", str(BENCHMARKS)]
        words += ["--predictions", str(predictions), "--protocol", "tempcompass@1"]
        words += ["--json", str(out)]
        assert main(words) == 0
        return json.loads(out.read_text())

    return run


def test_aspects_and_average(score, records, official):
    found = score(records)["metrics"]
    found["avg"] = found.pop("accuracy")
    assert found == official[0]


def test_finer_aspects(score, records, official):
    groups = score(records)["groups"]
    found = {
        row["group"]: round(row["metrics"]["accuracy"], 1)
        for row in groups
        if row["grouping"] == "fine-grained aspect"
    }
    assert found == official[1]


def test_match_success_rate(score, records, official):
    found = score(records)
    matched = found["n_scored"] - found["failures"]["unparsed"]
    assert round(matched / found["n_scored"] * 100, 1) == official[2]


def test_questions_without_a_line_leave_the_denominator_and_silent_ones_do_not(score, records):
    found = score([*records[:10], (records[10][0], None)])
    assert (found["n_scored"], found["failures"]["missing"]) == (11, 1580 - 11)


@pytest.mark.parametrize(
    ("split", "texts", "accuracy"),
    [
        # the truth is yes, yes, yes, yes, no, no
        (
            "yes_no",
            ["Yes.", "no", "YES</s>", " yes", "Nothing", ""],
            50.0,
        ),
        # Option 2 of Options, A of Sentences, A of Captions
        (
            "caption_matching",
            ["Option 2.", "A) A man is dunking a basketball.", "A"],
            66.7,
        ),
    ],
)
def test_the_other_forms_of_question(score, split, texts, accuracy):
    answers = [(f"1034419625/action/{k}", text) for k, text in enumerate(texts)]
    assert score(answers, split)["metrics"]["accuracy"] == accuracy
