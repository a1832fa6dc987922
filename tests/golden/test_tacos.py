"""Every number of 2D-TAN's script on TACoS, to the last digit."""

from tests.grounding_golden import by_protocol, golden, numbered, ranked, result, two_d_tan
from tests.reference_data import needs_both

pytestmark = needs_both


def test_2d_tan_at_every_nms_threshold(tmp_path):
    official = golden("tacos/test_seed97.official.json")
    rows = golden("tacos/test_seed97.ranked.jsonl")
    answers = ranked(rows, numbered(row["video"] for row in rows))
    found = result(tmp_path, "tacos", "2d-tan-nms-0.49@1", answers)
    assert found["n_scored"] == found["n_expected"] == 4001
    assert found["metrics"] == two_d_tan(official["2d_tan_nms0.49"])
    assert by_protocol(found)["2d-tan-no-nms@1"] == two_d_tan(official["2d_tan_nms1.0"])
