"""Every number of the official DiDeMo script, to the last digit, as a user gets it."""

import json

import pytest

from tests.golden_case import golden, score_predictions
from tests.reference_data import BENCHMARKS, needs_both

pytestmark = needs_both


@pytest.mark.parametrize("protocol", ["didemo@1", "strict@2"])
def test_rankings_of_val(tmp_path, protocol):
    records = json.loads((BENCHMARKS / "didemo/val_data.json").read_text())
    predictions = [
        {
            "id": str(record["annotation_id"]),
            "spans": [[5 * first, 5 * (last + 1)] for first, last in ranking],
        }
        for record, ranking in zip(records, golden("didemo/val_seed95.ranked.json"), strict=True)
    ]
    metrics = score_predictions(tmp_path, "didemo", protocol, predictions, split="val")["metrics"]
    official = golden("didemo/val_seed95.official.json")
    if protocol == "didemo@1":
        keys = {"rank@1": "rank1", "rank@5": "rank5", "mIoU": "miou"}
        assert metrics == {name: official[key] * 100 for name, key in keys.items()}
    printed = [line.rsplit(" ", 1)[1] for line in official["printed"].splitlines()]
    assert [f"{value / 100:.6f}" for value in metrics.values()] == printed
