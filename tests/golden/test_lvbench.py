"""Every number of the official script on LVBench's layout, to the last digit."""

from collections import Counter
from functools import partial

import pytest

from tests.golden_case import by_sample, golden, score_predictions
from tests.reference_data import GOLDEN, needs_golden

pytestmark = needs_golden
METADATA = "lvbench/synthetic_layout_meta.jsonl"


@pytest.fixture
def score(tmp_path):
    (tmp_path / "video_info.meta.jsonl").write_bytes((GOLDEN / METADATA).read_bytes())
    return partial(score_predictions, tmp_path, "lvbench", "lvbench@1", root=tmp_path)


def predictions(values, key):
    return [{"id": uid, key: value} for uid, value in values.items()]


@pytest.mark.parametrize(("file", "key"), [("answers", "choice"), ("raw_text", "text")])
def test_compute_accuracy(score, file, key):
    results = score(predictions(golden(f"lvbench/seed61.{file}.json"), key))
    official = golden("lvbench/seed61.official.json")
    expected = {name: value * 100 for name, value in official.items()}
    expected["accuracy"] = expected.pop("acc")
    assert results["metrics"] == expected
    assert results["n_scored"] == 1519


def test_each_text_is_parsed_as_by_the_script(score):
    results = score(predictions(golden("lvbench/seed61.raw_text.json"), "text"))
    letters = {uid: choice or "" for uid, choice in by_sample(results, "choice").items()}
    assert letters == golden("lvbench/seed61.answers.json")


def test_absent_uids_are_not_counted(score):
    """The expected figures are counted as the script does: for each type, and once for all."""
    letters = golden("lvbench/seed61.answers.json")
    kept = {uid: letter for k, (uid, letter) in enumerate(letters.items()) if k % 29}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for video in golden(METADATA):
        for row in video["qa"]:
            if row["uid"] in kept:
                for name in (*row["question_type"], "accuracy"):
                    total[name] += 1
                    right[name] += kept[row["uid"]] == row["answer"]
    results = score(predictions(kept, "choice"))
    assert results["metrics"] == {name: right[name] / total[name] * 100 for name in total}
    assert results["n_scored"] == len(kept) < 1519


def test_the_last_of_two_answers_counts(score):
    results = score([{"id": "0", "choice": "A"}, {"id": "0", "choice": "D"}])
    assert results["metrics"]["accuracy"] == 100.0
