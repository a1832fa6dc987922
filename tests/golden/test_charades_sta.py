"""Every number of the official scripts on Charades-STA, to the last digit, as a user gets it."""

import json
from collections import Counter

import pytest

from tests.grounding_golden import by_protocol, two_d_tan
from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both
RECALLS = ("R1@0.3", "R1@0.5", "R1@0.7")


@pytest.fixture(scope="module")
def official():
    return json.loads((GOLDEN / "charades_sta/seed11.official.json").read_text())


@pytest.fixture(scope="module")
def records():
    """The synthetic predictions, with the task's own ids."""
    seen: Counter[str] = Counter()
    rows = []
    for line in (GOLDEN / "charades_sta/seed11.preds.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows.append({**row, "id": f"{row['video']}/{seen[row['video']]}"})
        seen[row["video"]] += 1
    return rows


@pytest.fixture
def score(tmp_path):
    def run(protocol, answers):
        predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        predictions.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
        words = ["score", "--task", "charades_sta", "--data-root", str(BENCHMARKS)]
        words += ["--predictions", str(predictions), "--protocol", protocol, "--json", str(out)]
        assert main(words) == 0
        return json.loads(out.read_text())

    return run


def texts(records):
    return [{"id": row["id"], "text": row["text"]} for row in records]


def numbers(records):
    return [{"id": row["id"], "spans": [row["pred"]] if row["pred"] else None} for row in records]


@pytest.mark.parametrize("kind", ["pred", "text"])
def test_time_r1(score, records, official, kind):
    found = score("time-r1@1", numbers(records) if kind == "pred" else texts(records))
    wanted = official["time_r1_eval_all"][kind]["scores"]
    names = {"mIoU": "mIoU", "0.3": "R1@0.3", "0.5": "R1@0.5", "0.7": "R1@0.7", "avg": "avg"}
    assert found["metrics"] == {names[key]: value for key, value in wanted.items()}


def test_timezero(score, records, official):
    found = score("timezero@1", texts(records))["metrics"]
    wanted = official["timezero_evaluate"]
    assert found["mIoU"] == wanted["mIoU"] * 100
    assert [found[f"R1@{t}"] for t in wanted["R"]] == [
        value * 100 for value in wanted["R"].values()
    ]


def test_timechat(score, records, official):
    found = score("timechat@1", texts(records))["metrics"]
    lines = official["timechat_eval_tvg"]["stdout"].splitlines()[1:]
    assert [found[name] for name in RECALLS] == [float(line.split(": ")[1]) for line in lines]


def test_lmms_eval_and_timelens(score, records, official):
    wanted = official["lmms_eval"]
    for protocol, figures in (
        ("lmms-eval@0.7", wanted["metrics"]),
        ("timelens@1", wanted["timelens_task_metrics_on_same_answers"]),
    ):
        found = score(protocol, texts(records))["metrics"]
        assert [*found.values()] == [figures[key] for key in ("IOU@3", "IOU@5", "IOU@7", "mIOU")]


def test_vtimellm(score, records, official):
    answers = json.loads((GOLDEN / "charades_sta/seed11.extracted.official.json").read_text())[
        "vtimellm_answers"
    ]
    told = [{"id": row["id"], "text": text} for row, text in zip(records, answers, strict=True)]
    assert score("vtimellm@1", told)["metrics"] == official["vtimellm"]["metrics"]


def test_2d_tan(score, records, official):
    ranked = (GOLDEN / "charades_sta/seed11.ranked.jsonl").read_text().splitlines()
    answers = [
        {"id": row["id"], "spans": json.loads(line)["pred_ranked"]}
        for row, line in zip(records, ranked, strict=True)
    ]
    found = by_protocol(score("2d-tan@1", answers))
    for protocol, name in (
        ("2d-tan@1", "2d_tan_nms0.45"),
        ("2d-tan-nms-0.45@1", "2d_tan_nms0.45"),
        ("2d-tan-nms-0.49@1", "2d_tan_nms0.49"),
        ("2d-tan-no-nms@1", "2d_tan_nms1.0"),
    ):
        assert found[protocol] == two_d_tan(official[name])


def test_dropped_lines_leave_the_denominator_of_some_and_not_of_strict(score, records):
    some = texts(records)[::2]
    assert (score("strict@1", some)["n_scored"], score("time-r1@1", some)["n_scored"]) == (
        3720,
        1860,
    )
