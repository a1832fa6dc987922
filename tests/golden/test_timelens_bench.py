"""Every number of TimeLens' compute_metrics.py, to the last digit, and its odd cases."""

import json
import shutil

import pytest

from tests.grounding_golden import golden, result
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


def answer(name, value):
    """One line of TimeLens' result file as one of ours; its times go before its text."""
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
    answers = [
        answer(name, value)
        for name, line in zip(ids, lines, strict=True)
        for value in line.values()
    ]
    found = result(tmp_path, TASK, "timelens@1", answers, root)
    wanted = golden("timelens_bench/charades_seed700.official.json")[kind]
    assert found["metrics"] == {ours: wanted[name] for ours, name in NAMES.items()}
    assert found["n_expected"] == wanted["annotations"] == 3722
    assert found["n_scored"] == wanted["distinct_keys"] == 3720


@pytest.mark.parametrize("name", CASES)
def test_an_edge_case(name, tmp_path):
    ((key, value),) = CASES[name]["input"].items()
    video, query, span = key.split(">>>")
    video = video.removesuffix(".mp4")
    truth = {video: {"duration": 100, "spans": [json.loads(span)], "queries": [query]}}
    (tmp_path / "charades-timelens.json").write_text(json.dumps(truth))
    found = result(tmp_path, TASK, "timelens@1", [answer(f"{video}/0", value)], tmp_path)
    assert found["metrics"] == {ours: CASES[name]["official"][key] for ours, key in NAMES.items()}
