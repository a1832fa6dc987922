"""Every number of the official script on ReXTime, to the last digit, as a user gets it."""

import json
import math

import pytest

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both
FOLDER = GOLDEN / "rextime"
CASES = sorted(path.name.removesuffix(".preds.jsonl") for path in FOLDER.glob("*.preds.jsonl"))


@pytest.mark.parametrize("name", CASES)
def test_every_number(name, tmp_path):
    rows = map(json.loads, (FOLDER / f"{name}.preds.jsonl").read_text().splitlines())
    predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
    with predictions.open("w") as lines:
        for row in rows:
            spans = [window[:2] for window in row["pred_relevant_windows"]]
            print(json.dumps({"id": row["qid"], "spans": spans, "choice": row["ans"]}), file=lines)
    words = ["score", "--task", "rextime", "--data-root", str(BENCHMARKS)]
    words += ["--protocol", "rextime@1"]
    assert main([*words, "--predictions", str(predictions), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    wanted = json.loads((FOLDER / f"{name}.official.json").read_text())
    miou = wanted["full"]["MR-mIoU"]
    figures = {
        "VQA": wanted["VQA"] * 100,
        "mIoU": None if math.isnan(miou) else miou,
        **{f"R1@{t}": value for t, value in wanted["full"]["MR-R1"].items()},
        **{key: value * 100 for key, value in wanted["full"]["VQA,mIoU"].items()},
    }
    assert found["metrics"] == figures
    assert found["n_scored"] == found["n_expected"] == 921
