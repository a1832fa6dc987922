"""Every number of three scripts on synthetic answers in Video-MME's official layout."""

import json

import pytest

from tests.reference_data import GOLDEN, needs_golden
from vtg_eval.cli import main

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
    return json.loads((GOLDEN / "videomme/synthetic_seed51.official.json").read_text())


@pytest.fixture(scope="module")
def questions():
    videos = json.loads((GOLDEN / PREDICTIONS).read_text())
    return [question for video in videos for question in video["questions"]]


@pytest.fixture
def score(tmp_path, questions):
    def run(protocol):
        (tmp_path / "output_test_template.json").symlink_to(GOLDEN / PREDICTIONS)
        predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        answers = ({"id": q["question_id"], "text": q["response"]} for q in questions)
        predictions.write_text("\n".join(map(json.dumps, answers)))
        words = ["score", "--task", "videomme", "--data-root", str(tmp_path), "--json", str(out)]
        assert main([*words, "--predictions", str(predictions), "--protocol", protocol]) == 0
        return json.loads(out.read_text())

    return run


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


def groups(found):
    return {(row["grouping"], row["group"]): row for row in found["groups"]}


def test_eval_your_results(score, official):
    found = score("video-mme@1")
    rows = groups(found)
    lines = [*printed(official["official_eval_your_results_stdout"])]
    assert len(lines) == 4 * (6 + 30 + 12 + 1)
    for duration, grouping, name, wanted in lines:
        if not grouping:
            assert found["metrics"][duration or "accuracy"] == float(wanted)
        else:
            row = rows[f"{duration}: {grouping}" if duration else grouping, name]
            assert f"{row['metrics']['accuracy']:.1f}" == wanted, (duration, grouping, name)
    for duration, dropped in official["unextracted_excluded_from_denominator"].items():
        assert rows["duration", duration]["n"] == 900 - dropped
    assert found["n_scored"] == 2700 - 131 - 133 - 137


def test_vlmevalkit(score, official):
    found = score("vlmevalkit-video-mme@1")
    rows = groups(found)
    for duration, wanted in official["vlmevalkit_get_dimension_rating"].items():
        whole = duration == "overall"
        figure = found["metrics"]["accuracy" if whole else duration]
        assert figure == round(100 * float(wanted["overall"]), 1)
        for name, rating in wanted["domain"].items():
            row = rows["domain" if whole else f"{duration}: domain", name]
            assert f"{row['metrics']['accuracy'] / 100:.3f}" == rating
    assert found["n_scored"] == 2700


def test_lmms_eval(score, official):
    found = score("lmms-eval@0.7")
    assert found["metrics"]["accuracy"] == official["lmms_eval_aggregate"]


@pytest.mark.parametrize(
    ("protocol", "script"),
    [
        ("video-mme@1", "official"),
        ("vlmevalkit-video-mme@1", "vlmevalkit"),
        ("lmms-eval@0.7", "lmms_eval"),
    ],
)
def test_each_answer_is_read_as_the_script_reads_it(score, questions, protocol, script):
    found = {row["id"]: row["choice"] or "" for row in score(protocol)["samples"]}
    assert found == {q["question_id"]: q["_extracted"][script] for q in questions}


def test_subtitles_do_not_change_the_score(score):
    without = score("video-mme@1")
    spread = {row["protocol"]: row["metrics"] for row in without["scores_across_protocols"]}
    assert spread["video-mme-subtitles@1"] == without["metrics"]
    assert spread["strict-subtitles@1"] == spread["strict@1"]
