"""Every number of the official script on ReXTime, to the last digit, as a user gets it."""

import math

import pytest

from tests.golden_case import golden, golden_names, score_predictions
from tests.reference_data import needs_both

pytestmark = needs_both


@pytest.mark.parametrize("name", golden_names("rextime", ".preds.jsonl"))
def test_every_number(name, tmp_path):
    predictions = [
        {
            "id": row["qid"],
            "spans": [window[:2] for window in row["pred_relevant_windows"]],
            "choice": row["ans"],
        }
        for row in golden(f"rextime/{name}.preds.jsonl")
    ]
    results = score_predictions(tmp_path, "rextime", "rextime@1", predictions)
    official = golden(f"rextime/{name}.official.json")
    miou = official["full"]["MR-mIoU"]
    assert results["metrics"] == {
        "VQA": official["VQA"] * 100,
        "mIoU": None if math.isnan(miou) else miou,
        **{f"R1@{t}": value for t, value in official["full"]["MR-R1"].items()},
        **{key: value * 100 for key, value in official["full"]["VQA,mIoU"].items()},
    }
    assert results["n_scored"] == results["n_expected"] == 921
