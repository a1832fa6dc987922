"""Every number of the official script and of lmms-eval on MLVU dev, to the last digit."""

import pytest
from vtg_eval.tasks.mlvu import TASK

from tests.golden_case import by_sample, golden, score_predictions
from tests.reference_data import BENCHMARKS, needs_both

pytestmark = needs_both


@pytest.fixture(scope="module")
def official():
    return golden("mlvu/dev_seed41.official.json")


@pytest.fixture(scope="module")
def records():
    """The synthetic answers, with the task's ids: samples are in the official order."""
    rows = golden("mlvu/dev_seed41.preds.jsonl")
    samples = TASK.samples(BENCHMARKS, "dev")
    for row, sample in zip(rows, samples, strict=True):
        assert (row["video"], row["question"]) == (sample.video, sample.query)
        assert row["gt_letter"] == (sample.target.choice or "@")
    return [{**row, "id": sample.id} for row, sample in zip(rows, samples, strict=True)]


@pytest.fixture
def score(tmp_path, records):
    predictions = [{"id": row["id"], "text": row["text"]} for row in records]
    return lambda protocol: score_predictions(tmp_path, "mlvu", protocol, predictions)


def correct(results):
    return {name: bool(value) for name, value in by_sample(results, "value").items()}


def test_choice_bench(score, records, official):
    results = score("mlvu@1")
    metrics, expected = results["metrics"], official["official_choice_bench"]["final_res"]
    assert {key: metrics["M-Avg" if key == "Avg" else key] for key in expected} == expected
    assert metrics["accuracy"] == official["micro_average_for_reference"]
    assert correct(results) == {row["id"]: row["official_check_ans"] for row in records}
    assert results["n_scored"] == 2175


def test_lmms_eval(score, records, official):
    results = score("lmms-eval@0.7")
    # the script adds the tasks up in the order of a set: its last digit may differ by process
    assert results["metrics"]["M-Avg"] == official["lmms_eval_mlvu_dev_aggregate"]
    assert correct(results) == {row["id"]: row["lmms_correct"] for row in records}
    letters = {name: choice or "" for name, choice in by_sample(results, "choice").items()}
    assert letters == {row["id"]: row["lmms_extracted"] for row in records}


def test_samples_without_a_right_option_count_and_are_wrong(score):
    values = by_sample(score("strict@2"), "value")
    assert [values[name] for name in ("needle/34", "needle/338")] == [0.0, 0.0]
