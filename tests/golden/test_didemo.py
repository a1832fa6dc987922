"""Every number of the official DiDeMo script, to the last digit, as a user gets it."""

import json

import pytest

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both


@pytest.mark.parametrize("protocol", ["didemo@1", "strict@1"])
def test_rankings_of_val(tmp_path, protocol):
    folder = GOLDEN / "didemo"
    records = json.loads((BENCHMARKS / "didemo/val_data.json").read_text())
    rankings = json.loads((folder / "val_seed95.ranked.json").read_text())
    answers, out = tmp_path / "p.jsonl", tmp_path / "out.json"
    with answers.open("w") as file:
        for record, ranking in zip(records, rankings, strict=True):
            spans = [[5 * first, 5 * (last + 1)] for first, last in ranking]
            print(json.dumps({"id": str(record["annotation_id"]), "spans": spans}), file=file)
    words = ["score", "--task", "didemo", "--split", "val", "--data-root", str(BENCHMARKS)]
    words += ["--predictions", str(answers), "--protocol", protocol, "--json", str(out)]
    assert main(words) == 0
    found = json.loads(out.read_text())["metrics"]
    wanted = json.loads((folder / "val_seed95.official.json").read_text())
    if protocol == "didemo@1":
        keys = {"rank@1": "rank1", "rank@5": "rank5", "mIoU": "miou"}
        assert found == {name: wanted[key] * 100 for name, key in keys.items()}
    printed = [line.rsplit(" ", 1)[1] for line in wanted["printed"].splitlines()]
    assert [f"{value / 100:.6f}" for value in found.values()] == printed
