"""Every number of Time-R1's script on TVGBench, to the last digit."""

import pytest

from tests.grounding_golden import golden, numbers, result, texts, time_r1
from tests.reference_data import needs_both

pytestmark = needs_both


@pytest.mark.parametrize(("kind", "answers"), [("pred", numbers), ("text", texts)])
def test_time_r1(kind, answers, tmp_path):
    rows = golden("tvgbench/seed81.preds.jsonl")
    # the official ids are ours
    told = answers(rows, [row["qid"] for row in rows])
    found = result(tmp_path, "tvgbench", "time-r1@1", told)
    assert found["metrics"] == time_r1(golden("tvgbench/seed81.official.json")[kind])
    assert found["n_scored"] == 800
    # of numbers some equal a target of no length: no number comes of that
    assert (found["metrics"]["mIoU"] is None) == (kind == "pred")
