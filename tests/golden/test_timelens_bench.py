"""Every number of TimeLens' compute_metrics.py, to the last digit, and on edge cases."""

import json
import shutil

import pytest

from tests.golden_case import golden, score_predictions
from tests.reference_data import GOLDEN, needs_both

pytestmark = needs_both
TASK = "charades_timelens"
NAMES = {"R1@0.3": "IOU 0.3", "R1@0.5": "IOU 0.5", "R1@0.7": "IOU 0.7", "mIoU": "mIOU"}
CASES = {
    name: case
    for name, case in (
        golden("timelens_bench/edge_cases.official.json") if GOLDEN.is_dir() else {}
    ).items()
    if case["official"]["returncode"] == 0
}


def prediction(name, value):
    """One line of TimeLens' result file as a line of predictions; times go before text."""
    if "timestamps" in value:
        return {"id": name, "spans": value["timestamps"]}
    return {"id": name, "text": value["answers"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timelens")
    source = GOLDEN / "timelens_bench/synthetic_charades-timelens.json"
    shutil.copy(source, folder / "charades-timelens.json")
    return folder


@pytest.fixture(scope="module")
def ids(root):
    table = json.loads((root / "charades-timelens.json").read_text())
    return [f"{video}/{k}" for video, row in table.items() for k in range(len(row["spans"]))]


@pytest.mark.parametrize("kind", ["answers", "timestamps"])
def test_a_whole_file(kind, root, ids, tmp_path):
    lines = golden(f"timelens_bench/charades_seed700.{kind}.jsonl")
    predictions = [
        prediction(name, value)
        for name, line in zip(ids, lines, strict=True)
        for value in line.values()
    ]
    results = score_predictions(tmp_path, TASK, "timelens@1", predictions, root)
    expected = golden("timelens_bench/charades_seed700.official.json")[kind]
    assert results["metrics"] == {name: expected[key] for name, key in NAMES.items()}
    assert results["n_expected"] == expected["annotations"] == 3722
    assert results["n_scored"] == expected["distinct_keys"] == 3720


@pytest.mark.parametrize("name", CASES)
def test_an_edge_case(name, tmp_path):
    ((key, value),) = CASES[name]["input"].items()
    video, query, span = key.split(">>>")
    video = video.removesuffix(".mp4")
    truth = {video: {"duration": 100, "spans": [json.loads(span)], "queries": [query]}}
    (tmp_path / "charades-timelens.json").write_text(json.dumps(truth))
    predictions = [prediction(f"{video}/0", value)]
    results = score_predictions(tmp_path, TASK, "timelens@1", predictions, tmp_path)
    assert results["metrics"] == {
        metric: CASES[name]["official"][key] for metric, key in NAMES.items()
    }
