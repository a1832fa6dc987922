"""Every number of the official scripts on NExT-GQA, to the last digit, as a user gets it."""

import json
import re

import pytest
from vtg_eval.tasks.nextgqa import TASK

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

pytestmark = needs_both
FOLDER = GOLDEN / "nextgqa"
CASES = sorted(path.name.removesuffix(".preds.json") for path in FOLDER.glob("*.preds.json"))
CLASSES = ("Why", "How", "Bef&Aft", "When", "Acc_C", "Acc_T")


def official(name):
    return json.loads((FOLDER / f"{name}.official.json").read_text())


@pytest.fixture
def found(tmp_path, request):
    """The whole result of one case, by `vtg-eval score`."""
    answers = json.loads((FOLDER / f"{request.param}.preds.json").read_text())
    lines = []
    for name, choice in answers["qa"].items():
        record = {"id": name, "choice": "ABCDE"[choice["prediction"]]}
        if name in answers["ground"]:
            record["spans"] = [answers["ground"][name]]
        lines.append(json.dumps(record) + "\n")
    predictions, out = tmp_path / "p.jsonl", tmp_path / "out.json"
    predictions.write_text("".join(lines))
    words = ["score", "--task", "nextgqa", "--split", request.param.split("_")[0]]
    words += ["--data-root", str(BENCHMARKS), "--predictions", str(predictions)]
    assert main([*words, "--protocol", "next-gqa@1", "--json", str(out)]) == 0
    return request.param, json.loads(out.read_text())


@pytest.mark.parametrize("found", CASES, indirect=True)
def test_grounding(found):
    name, result = found
    wanted = official(name)
    assert {key: result["metrics"][key] for key in wanted["unrounded"]} == wanted["unrounded"]
    printed = {key: float(f"{result['metrics'][key]:.1f}") for key in wanted["eval_ground"]}
    assert printed == wanted["eval_ground"]


@pytest.mark.parametrize("found", CASES, indirect=True)
def test_accuracy(found):
    name, result = found
    counts, names, figures, overall = official(name)["eval_next_printed"].splitlines()
    wanted = dict(zip(names.split("\t"), figures.split("\t"), strict=True))
    wanted = {key: value for key, value in wanted.items() if key}
    assert {key: f"{result['metrics'][key]:.2f}" for key in CLASSES} == wanted
    assert f"Acc: {result['metrics']['Acc@QA']:.2f}" == overall
    questions = int(re.search(r"Questions: (\d+)", counts)[1])
    assert (result["n_expected"], result["n_scored"]) == (questions, questions)


def one(segment, span):
    sample = Sample(
        "v_0", "v", "q", Target((Span(*segment),), "A"), 100.0, ("x", "y"), asks=OutputType.BOTH
    )
    answer = Prediction("v_0", spans=(Span(*span),), choice="A")
    protocol = Registry.discover().protocol_for(TASK.card, "next-gqa@1")
    return score(TASK.card, [sample], [answer], protocol, "test").metrics


def test_micro_cases_bounded_at_0_as_the_caller_does():
    cases = json.loads((FOLDER / "get_tIoU_cases.official.json").read_text())
    assert len(cases) == 14
    for case in cases:
        found = one(case["loc"], case["span"])
        iou, iop = case["IoU_IoP"]
        assert (found["mIoU"], found["mIoP"]) == (max(0, iou) * 100, max(0, iop) * 100), case
        assert found["Acc@GQA"] == (100 if iop >= 0.5 else 0), case
