"""Every number of the official script and of lmms-eval on MLVU dev, to the last digit."""

import json

import pytest
from vtg_eval.tasks.mlvu import TASK

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both


@pytest.fixture(scope="module")
def official():
    return json.loads((GOLDEN / "mlvu/dev_seed41.official.json").read_text())


@pytest.fixture(scope="module")
def records():
    """The synthetic answers, with the task's own ids: both are in the official order."""
    lines = (GOLDEN / "mlvu/dev_seed41.preds.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    samples = TASK.samples(BENCHMARKS, "dev")
    for row, sample in zip(rows, samples, strict=True):
        assert (row["video"], row["question"]) == (sample.video, sample.query)
        assert row["gt_letter"] == (sample.target.choice or "@")
    return [{**row, "id": s.id} for row, s in zip(rows, samples, strict=True)]


@pytest.fixture
def score(tmp_path, records):
    def run(protocol):
        predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        lines = (json.dumps({"id": row["id"], "text": row["text"]}) for row in records)
        predictions.write_text("\n".join(lines))
        words = ["score", "--task", "mlvu", "--data-root", str(BENCHMARKS), "--json", str(out)]
        assert main([*words, "--predictions", str(predictions), "--protocol", protocol]) == 0
        return json.loads(out.read_text())

    return run


def test_choice_bench(score, records, official):
    found = score("mlvu@1")
    wanted = official["official_choice_bench"]["final_res"]
    assert {k: found["metrics"]["M-Avg" if k == "Avg" else k] for k in wanted} == wanted
    assert found["metrics"]["accuracy"] == official["micro_average_for_reference"]
    values = {row["id"]: bool(row["value"]) for row in found["samples"]}
    assert values == {row["id"]: row["official_check_ans"] for row in records}
    assert found["n_scored"] == 2175


def test_lmms_eval(score, records, official):
    found = score("lmms-eval@0.7")
    # the script adds the tasks up in the order of a set: its last digit may differ by process
    assert found["metrics"]["M-Avg"] == official["lmms_eval_mlvu_dev_aggregate"]
    values = {row["id"]: bool(row["value"]) for row in found["samples"]}
    assert values == {row["id"]: row["lmms_correct"] for row in records}
    letters = {row["id"]: row["choice"] or "" for row in found["samples"]}
    assert letters == {row["id"]: row["lmms_extracted"] for row in records}


def test_broken_items_count_and_are_wrong(score):
    rows = {row["id"]: row for row in score("strict@1")["samples"]}
    assert [rows[name]["value"] for name in ("needle/34", "needle/338")] == [0.0, 0.0]
