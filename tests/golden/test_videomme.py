"""Every number of three scripts on synthetic answers in Video-MME's official layout."""

import pytest

from tests.golden_case import by_sample, golden, metrics_by_protocol, score_predictions
from tests.reference_data import GOLDEN, needs_golden

pytestmark = needs_golden
PREDICTIONS = "videomme/synthetic_seed51.preds.json"
SECTIONS = {
    "Video Categories": "domain",
    "Video Domains": "domain",
    "Video Sub Categories": "sub-category",
    "Task Categories": "task type",
}


@pytest.fixture(scope="module")
def official():
    return golden("videomme/synthetic_seed51.official.json")


@pytest.fixture(scope="module")
def questions():
    return [question for video in golden(PREDICTIONS) for question in video["questions"]]


@pytest.fixture
def score(tmp_path, questions):
    (tmp_path / "output_test_template.json").symlink_to(GOLDEN / PREDICTIONS)
    predictions = [{"id": q["question_id"], "text": q["response"]} for q in questions]
    return lambda protocol: score_predictions(tmp_path, "videomme", protocol, predictions, tmp_path)


def printed(stdout):
    """Yield (duration or "", grouping or "", name, percentage) of each printed line."""
    duration = grouping = ""
    for line in stdout.splitlines():
        if line.startswith("Evaluation on"):
            duration = line.split(": ")[1] if ": " in line else ""
        elif line == "Overall Performance":
            grouping = ""
        elif line in SECTIONS:
            grouping = SECTIONS[line]
        elif line.endswith("%"):
            name, value = line.rsplit(":", 1)
            yield duration, grouping, name, value.strip().rstrip("%")


def groups(results):
    return {(row["grouping"], row["group"]): row for row in results["groups"]}


def test_eval_your_results(score, official):
    results = score("video-mme@1")
    rows = groups(results)
    lines = [*printed(official["official_eval_your_results_stdout"])]
    assert len(lines) == 4 * (6 + 30 + 12 + 1)
    for duration, grouping, name, expected in lines:
        if not grouping:
            assert results["metrics"][duration or "accuracy"] == float(expected)
        else:
            row = rows[f"{duration}: {grouping}" if duration else grouping, name]
            assert f"{row['metrics']['accuracy']:.1f}" == expected, (duration, grouping, name)
    for duration, dropped in official["unextracted_excluded_from_denominator"].items():
        assert rows["duration", duration]["n"] == 900 - dropped
    assert results["n_scored"] == 2700 - 131 - 133 - 137


def test_vlmevalkit(score, official):
    results = score("vlmevalkit-video-mme@1")
    rows = groups(results)
    for duration, expected in official["vlmevalkit_get_dimension_rating"].items():
        whole = duration == "overall"
        figure = results["metrics"]["accuracy" if whole else duration]
        assert figure == round(100 * float(expected["overall"]), 1)
        for name, rating in expected["domain"].items():
            row = rows["domain" if whole else f"{duration}: domain", name]
            assert f"{row['metrics']['accuracy'] / 100:.3f}" == rating
    assert results["n_scored"] == 2700


def test_lmms_eval(score, official):
    results = score("lmms-eval@0.7")
    assert results["metrics"]["accuracy"] == official["lmms_eval_aggregate"]


@pytest.mark.parametrize(
    ("protocol", "script"),
    [
        ("video-mme@1", "official"),
        ("vlmevalkit-video-mme@1", "vlmevalkit"),
        ("lmms-eval@0.7", "lmms_eval"),
    ],
)
def test_each_answer_is_parsed_as_by_the_script(score, questions, protocol, script):
    choices = by_sample(score(protocol), "choice")
    letters = {name: choice or "" for name, choice in choices.items()}
    assert letters == {q["question_id"]: q["_extracted"][script] for q in questions}


def test_subtitles_do_not_change_the_score(score):
    metrics = metrics_by_protocol(score("video-mme@1"))
    assert metrics["video-mme-subtitles@1"] == metrics["video-mme@1"]
    assert metrics["strict-subtitles@2"] == metrics["strict@2"]
