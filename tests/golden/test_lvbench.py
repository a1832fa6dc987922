"""Every number of the official script on LVBench's layout, to the last digit."""

import json

import pytest

from tests.reference_data import GOLDEN, needs_golden
from vtg_eval.cli import main

pytestmark = needs_golden


@pytest.fixture(scope="module")
def golden():
    def load(name):
        return json.loads((GOLDEN / f"lvbench/seed61.{name}.json").read_text())

    return load


@pytest.fixture
def score(tmp_path):
    def run(protocol, answers):
        meta = GOLDEN / "lvbench/synthetic_layout_meta.jsonl"
        (tmp_path / "video_info.meta.jsonl").write_bytes(meta.read_bytes())
        predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        predictions.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
        words = ["score", "--task", "lvbench", "--data-root", str(tmp_path), "--json", str(out)]
        assert main([*words, "--predictions", str(predictions), "--protocol", protocol]) == 0
        return json.loads(out.read_text())

    return run


@pytest.mark.parametrize(("file", "key"), [("answers", "choice"), ("raw_text", "text")])
def test_compute_accuracy(score, golden, file, key):
    found = score("lvbench@1", [{"id": uid, key: said} for uid, said in golden(file).items()])
    wanted = {name: value * 100 for name, value in golden("official").items()}
    wanted["accuracy"] = wanted.pop("acc")
    assert found["metrics"] == wanted
    assert found["n_scored"] == 1519


def test_each_text_is_read_as_the_script_reads_it(score, golden):
    answers = [{"id": uid, "text": text} for uid, text in golden("raw_text").items()]
    found = {row["id"]: row["choice"] or "" for row in score("lvbench@1", answers)["samples"]}
    assert found == golden("answers")


def test_absent_uids_are_not_counted(score, golden):
    """Worked out beside it as the script does: counts for each type, and once for all."""
    letters = golden("answers")
    kept = {uid: said for number, (uid, said) in enumerate(letters.items()) if number % 29}
    right: dict[str, int] = {}
    total: dict[str, int] = {}
    for line in (GOLDEN / "lvbench/synthetic_layout_meta.jsonl").read_text().splitlines():
        for row in json.loads(line)["qa"]:
            if row["uid"] in kept:
                for name in (*row["question_type"], "accuracy"):
                    total[name] = total.get(name, 0) + 1
                    right[name] = right.get(name, 0) + (kept[row["uid"]] == row["answer"])
    found = score("lvbench@1", [{"id": uid, "choice": said} for uid, said in kept.items()])
    assert found["metrics"] == {name: right[name] / total[name] * 100 for name in total}
    assert found["n_scored"] == len(kept) < 1519
    last = score("lvbench@1", [{"id": "0", "choice": "A"}, {"id": "0", "choice": "D"}])
    assert last["metrics"]["accuracy"] == 100.0
