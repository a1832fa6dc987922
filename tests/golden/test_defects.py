"""The defects of the real annotation files, as surveys of them count them."""

import json

import pytest

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.annotations.query_overlap import with_query_overlap
from vtg_eval.cli import main
from vtg_eval.registry import Registry

pytestmark = needs_benchmarks

BEYOND, FAR = "truth beyond the annotated end", "truth beyond the annotated end by over 1 s"
EMPTY, REPEATED = "truth empty or reversed", "duplicate (video, query)"
HOPELESS, TWICE = "no right option", "the right option stands there twice"


@pytest.mark.parametrize(
    ("task", "split", "defects"),
    [
        ("charades_sta", "test", {BEYOND: 562, FAR: 228, EMPTY: 0, REPEATED: 0}),
        ("charades_sta", "train", {EMPTY: 4}),
        ("activitynet_captions", "val_1", {BEYOND: 5, FAR: 0, EMPTY: 0, REPEATED: 2}),
        ("activitynet_captions", "val_2", {BEYOND: 1, FAR: 0, EMPTY: 0, REPEATED: 0}),
        ("activitynet_cd", "test_ood", {EMPTY: 4}),
        ("charades_cd", "test_ood", {BEYOND: 348}),
        ("tvgbench", "test", {BEYOND: 27, EMPTY: 11, REPEATED: 1}),
        ("tacos", "test", {BEYOND: 5}),
        ("cgbench", "mini", {BEYOND: 0, EMPTY: 0, "truth spans that overlap or touch": 35}),
        ("mlvu", "dev", {HOPELESS: 2, TWICE: 6, "empty options": 4}),
        ("mvbench", "test", {"one option only": 5, HOPELESS: 0}),
        ("rextime", "val", {BEYOND: 4, EMPTY: 2}),
        ("nextgqa", "test", {BEYOND: 0, EMPTY: 0, TWICE: 1}),
        ("nextgqa", "val", {BEYOND: 3, FAR: 0}),
        ("qvhighlights", "val", {BEYOND: 0, "truth spans that overlap or touch": 0}),
    ],
)
def test_the_check_counts_what_is_known(task, split, defects, capsys):
    words = ["data", "check", task, "--data-root", str(BENCHMARKS), "--split", split, "--json", "-"]
    assert main(words) == 1  # the videos are missing
    found = {row["name"]: row["count"] for row in json.loads(capsys.readouterr().out)["findings"]}
    assert {name: found.get(name, 0) for name in defects} == defects


def test_queries_of_charades_sta_that_stand_in_its_train_split():
    task = Registry.discover().task("charades_sta")
    root = BENCHMARKS
    samples = with_query_overlap(
        task.samples(root, "test"), task.card, "test", lambda name: task.samples(root, name)
    )
    seen = [sample for sample in samples if sample.group("query") == "in the train split"]
    assert round(100 * len(seen) / len(samples)) == 42
