"""Every number of the official scripts on NExT-GQA, to the last digit, as a user gets it."""

import re

import pytest
from vtg_eval.tasks.nextgqa import TASK

from tests.golden_case import golden, golden_names, score_predictions
from tests.reference_data import needs_both
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

pytestmark = needs_both
CLASSES = ("Why", "How", "Bef&Aft", "When", "Acc_C", "Acc_T")


@pytest.fixture(params=golden_names("nextgqa", ".preds.json"))
def case(tmp_path, request):
    """The official results of one file of predictions, and those of `vtg-eval score`."""
    answers = golden(f"nextgqa/{request.param}.preds.json")
    predictions = [
        {"id": name, "choice": "ABCDE"[choice["prediction"]]}
        | ({"spans": [answers["ground"][name]]} if name in answers["ground"] else {})
        for name, choice in answers["qa"].items()
    ]
    split = request.param.split("_")[0]
    results = score_predictions(tmp_path, "nextgqa", "next-gqa@1", predictions, split=split)
    return golden(f"nextgqa/{request.param}.official.json"), results


def test_grounding(case):
    official, results = case
    metrics, unrounded = results["metrics"], official["unrounded"]
    assert {key: metrics[key] for key in unrounded} == unrounded
    printed = {key: float(f"{metrics[key]:.1f}") for key in official["eval_ground"]}
    assert printed == official["eval_ground"]


def test_accuracy(case):
    official, results = case
    counts, names, figures, overall = official["eval_next_printed"].splitlines()
    printed = dict(zip(names.split("\t"), figures.split("\t"), strict=True))
    expected = {key: value for key, value in printed.items() if key}
    assert {key: f"{results['metrics'][key]:.2f}" for key in CLASSES} == expected
    assert f"Acc: {results['metrics']['Acc@QA']:.2f}" == overall
    questions = int(re.search(r"Questions: (\d+)", counts)[1])
    assert (results["n_expected"], results["n_scored"]) == (questions, questions)


def single_metrics(segment, span):
    sample = Sample(
        "v_0", "v", "q", Target((Span(*segment),), "A"), 100.0, ("x", "y"), asks=OutputType.BOTH
    )
    prediction = Prediction("v_0", spans=(Span(*span),), choice="A")
    protocol = Registry.discover().protocol_for(TASK.card, "next-gqa@1")
    return score(TASK.card, [sample], [prediction], protocol, "test").metrics


def test_overlaps_of_single_spans_bounded_at_0_as_by_the_caller_of_get_tiou():
    cases = golden("nextgqa/get_tIoU_cases.official.json")
    assert len(cases) == 14
    for case in cases:
        metrics = single_metrics(case["loc"], case["span"])
        iou, iop = case["IoU_IoP"]
        assert (metrics["mIoU"], metrics["mIoP"]) == (max(0, iou) * 100, max(0, iop) * 100), case
        assert metrics["Acc@GQA"] == (100 if iop >= 0.5 else 0), case
