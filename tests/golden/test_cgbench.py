"""Every number of both official scripts on CG-Bench, as a user gets it by `vtg-eval score`."""

import re

import pytest
from vtg_eval.tasks.cgbench import TASK

from tests.golden_case import golden, golden_names, score_predictions
from tests.reference_data import needs_both
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Group, Prediction, Sample, Span, Target

pytestmark = needs_both
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
NAMES = {
    "long_acc": "long-acc",
    "clue_acc": "clue-acc",
    "miou": "mIoU",
    "CRR": "CRR",
    "acc@iou": "acc@IoU",
    "rec@iou": "rec@IoU",
}


@pytest.fixture(scope="module", params=golden_names("cgbench", ".preds.jsonl"))
def case(request, tmp_path_factory):
    """The official results, and by protocol those of `vtg-eval score` on the same answers."""
    predictions = [
        {"id": f"{row['qid']}/{row['task_mode']}", "text": row["prediction"]}
        for row in golden(f"cgbench/{request.param}.preds.jsonl")
    ]
    folder = tmp_path_factory.mktemp("cgbench")
    results = {
        protocol: score_predictions(folder, "cgbench", protocol, predictions)
        for protocol in ("cg-bench@1", "vlmevalkit-cg-bench@1")
    }
    return golden(f"cgbench/{request.param}.official.json"), results


def test_vlmevalkit_overall(case):
    official, results = case
    expected = {
        NAMES[key]: part["overall"] for key, part in official["vlmevalkit"]["rating"].items()
    }
    metrics = results["vlmevalkit-cg-bench@1"]["metrics"]
    assert {key: round(metrics[key] / 100, 4) for key in expected} == expected
    assert all(metrics[key] == round(metrics[key], 2) for key in expected)
    excluded = official["vlmevalkit"]["n_minus1"]
    assert results["vlmevalkit-cg-bench@1"]["n_scored"] == 9000 - excluded


@pytest.mark.parametrize("grouping", ["duration", "domain", "sub_category"])
def test_vlmevalkit_groups(case, grouping):
    official, results = case
    rating = official["vlmevalkit"]["rating"]
    groups = {
        row["group"]: in_fractions(row["metrics"])
        for row in results["vlmevalkit-cg-bench@1"]["groups"]
        if row["grouping"] == grouping
    }
    assert groups.keys() == rating["miou"][grouping].keys()
    for group, figures in groups.items():
        assert figures == {key: rating[key][grouping][group] for key in NAMES}, group


def in_fractions(metrics):
    """One group's figures rounded as VLMEvalKit rounds them, from the unrounded percentages."""
    whole, clue = metrics["long-acc"], metrics["clue-acc"]
    means = {
        key: round(sum(round(metrics[f"{part}@{t}"] / 100, 4) for t in THRESHOLDS) / 5, 4)
        for key, part in (("rec@iou", "rec"), ("acc@iou", "acc"))
    }
    return means | {
        "long_acc": round(whole / 100, 4),
        "clue_acc": round(clue / 100, 4),
        "miou": round(metrics["mIoU"] / 100, 4),
        "CRR": round(min(whole, clue) / clue, 4),
    }


def printed(official, key):
    """The totals and figures of one block of stat_with_key.py's output."""
    text = official["official_repo"]["stat_with_key_stdout"]
    block = re.search(rf"Result Key: {re.escape(key)}\S*\n(.*)\n", text)[1]
    return {name: float(value) for name, value in re.findall(r"(\S+): ([\d.]+)", block)}


def test_means_of_the_official_repository(case):
    official, results = case
    metrics = results["cg-bench@1"]["metrics"]
    for key in ("long_acc", "clue_acc", "miou", "rec@iou", "acc@iou"):
        assert metrics[NAMES[key]] == printed(official, key)["Accuracy"] * 100, key


def test_counts_of_the_official_repository(case):
    official, results = case
    repository = results["cg-bench@1"]
    totals = {key: printed(official, key)["Total"] for key in ("long_acc", "clue_acc", "miou")}
    groups = {row["group"]: row["n"] for row in repository["groups"] if row["grouping"] == "kind"}
    assert groups == totals
    assert repository["n_scored"] == sum(totals.values())
    for kind in ("long_acc", "clue_acc"):
        hits = repository["metrics"][NAMES[kind]] * totals[kind] / 100
        assert round(hits, 6) == printed(official, kind)["Result"]
    for key, part, prefix in (("rec@iou", "rec", "iou_th"), ("acc@iou", "acc", "th")):
        counts = printed(official, key)
        for t in THRESHOLDS:
            share = counts[f"{prefix}_{t}"] / counts["Total"] * 100
            assert repository["metrics"][f"{part}@{t}"] == share


def test_iou_of_single_sets_of_intervals():
    protocol = Registry.discover().protocol_for(TASK.card, "cg-bench@1")
    for case in golden("cgbench/interval_iou_cases.official.json"):
        target = Target(tuple(Span(*pair) for pair in case["gt"]))
        sample = Sample("1/miou", "v", "q", target, 100.0, groups=(Group("kind", "miou"),))
        prediction = Prediction("1/miou", spans=tuple(Span(*pair) for pair in case["pred"]))
        metrics = score(TASK.card, [sample], [prediction], protocol, "mini").metrics
        assert metrics["mIoU"] == case["iou"] * 100, case
