"""The defects of the real annotation files, against counts by an independent survey."""

import json
from functools import partial

import pytest

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.annotations.query_overlap import with_query_overlap
from vtg_eval.cli import main
from vtg_eval.registry import Registry

pytestmark = needs_benchmarks

BEYOND, FAR = "truth beyond the annotated end", "truth beyond the annotated end by over 1 s"
EMPTY, REPEATED = "truth empty or reversed", "duplicate (video, query)"
NO_RIGHT, TWICE = "no right option", "the right option stands there twice"


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
        ("mlvu", "dev", {NO_RIGHT: 2, TWICE: 6, "empty options": 4}),
        ("mvbench", "test", {"one option only": 5, NO_RIGHT: 0}),
        ("rextime", "val", {BEYOND: 4, EMPTY: 2}),
        ("nextgqa", "test", {BEYOND: 0, EMPTY: 0, TWICE: 1}),
        ("nextgqa", "val", {BEYOND: 3, FAR: 0}),
        ("qvhighlights", "val", {BEYOND: 0, "truth spans that overlap or touch": 0}),
    ],
)
def test_data_check_counts_the_known_defects(task, split, defects, capsys):
    root = str(BENCHMARKS)
    arguments = ["data", "check", task, "--data-root", root, "--split", split, "--json", "-"]
    assert main(arguments) == 1  # the videos are missing
    findings = json.loads(capsys.readouterr().out)["findings"]
    counts = {row["name"]: row["count"] for row in findings}
    assert {name: counts.get(name, 0) for name in defects} == defects


def test_42_percent_of_charades_sta_test_queries_occur_in_its_train_split():
    task = Registry.discover().task("charades_sta")
    samples_of = partial(task.samples, BENCHMARKS)
    samples = with_query_overlap(samples_of("test"), task.card, "test", samples_of)
    overlapping = [sample for sample in samples if sample.group("query") == "in the train split"]
    assert round(100 * len(overlapping) / len(samples)) == 42
