from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vtg_eval.model_adapters.baseline import BaselineAdapter

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.cli import main
from vtg_eval.errors import UserError
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import OutputType, Sample, Target

PROTOCOL = ResolvedProtocol("p@1", "", "")
SAMPLE = Sample("v:0", "v", "it stops", Target(), duration=30.96)

DRAW = random.Random(1)
SPANS = [sorted((DRAW.randrange(30), DRAW.randrange(30))) for _ in range(12)]
MOMENTS = [[a, b + 1] for a, b in SPANS]
LETTERS = DRAW.choices("ABB", k=12)
OPTIONS = ["a long text", "short"]


def lines(records: Sequence[object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


FILES = {  # one task for each metric family, with twelve samples
    "charades_sta": {
        "charades_sta_test.txt": "".join(
            f"V{k} {a}.0 {b}.5##she sits {k}.\n" for k, (a, b) in enumerate(MOMENTS)
        ),
        "Charades_v1_test.csv": "id,length\n" + "".join(f"V{k},31.07\n" for k in range(12)),
    },
    "didemo": {
        "test_data.json": json.dumps(
            [
                {"num_segments": 6, "description": "x", "annotation_id": k, "video": f"{k}.mov"}
                | {"times": [[a // 5, a // 5 + k % 2]] * 4}
                for k, (a, _) in enumerate(MOMENTS)
            ]
        )
    },
    "qvhighlights": {
        "highlight_val_release.jsonl": lines(
            [
                {"qid": k, "query": "x", "duration": 40, "vid": f"v{k}", "saliency_scores": []}
                | {"relevant_windows": [span], "relevant_clip_ids": []}
                for k, span in enumerate(MOMENTS)
            ]
        )
    },
    "cgbench": {
        "cgbench_mini.json": json.dumps(
            [
                {"qid": k, "video_uid": f"v{k}", "question": "Which?", "choices": OPTIONS}
                | {"right_answer": letter, "answer": "", "clue_intervals": [span]}
                | {"domain": "d", "sub_category": "s", "duration": 60}
                for k, (letter, span) in enumerate(zip(LETTERS, MOMENTS, strict=True))
            ]
        )
    },
    "nextgqa": {
        "test.csv": "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
        + "".join(
            f"{k},300,4,3,why,{'yes it is' if letter == 'A' else 'no'},0,CW,yes it is,no,1,2,3\n"
            for k, letter in enumerate(LETTERS)
        ),
        "gsub_test.json": json.dumps(
            {
                str(k): {"duration": 40, "location": {"0": [span]}, "fps": 30}
                for k, span in enumerate(MOMENTS)
            }
        ),
    },
    "rextime": {
        "rextime_val.json": json.dumps(
            [
                {"qid": f"anet_val{k}", "question": "Why?", "duration": 40.7, "vid": f"v{k}"}
                | {"options": [*OPTIONS, "c", "d"], "answer": "From <s0> to <e0>, it is"}
                | {"span": span, "ans": letter, "source": "ActivityNet_val_2", "category": "cause"}
                for k, (letter, span) in enumerate(zip(LETTERS, MOMENTS, strict=True))
            ]
        )
    },
    "tempcompass": {
        "multi-choice.json": json.dumps(
            {
                str(k): {
                    "action": [
                        {
                            "question": "Who runs?\nA. a long text\nB. b",
                            "answer": "A. a long text" if letter == "A" else "B. b",
                        }
                    ]
                }
                for k, letter in enumerate(LETTERS)
            }
        ),
        "meta_info.json": json.dumps(
            {str(k): {"eval_dim": {"action": {"type": "x"}}} for k in range(12)}
        ),
    },
}
GROUNDING = {"whole-video": "whole video", "random": "random"}
CHOICE = {"majority-letter": "majority letter", "longest-option": "longest option"}
GROUNDED = {
    "whole-video": "whole video, majority letter",
    "random": "random, longest option",
}
CASES = [
    *(
        (task, *pair)
        for task in ("charades_sta", "didemo", "qvhighlights")
        for pair in GROUNDING.items()
    ),
    ("charades_sta", "constant:0:0.45", "constant [0, 0.45]"),
    *((task, *pair) for task in ("cgbench", "nextgqa", "rextime") for pair in GROUNDED.items()),
    *(("tempcompass", *pair) for pair in CHOICE.items()),
]


def results(root: Path, task: str, model: str) -> dict[str, Any]:
    for name, text in FILES[task].items():
        (root / name).write_text(text)
    args = ["--model", f"baseline:{model}", "--tasks", task, "--data-root", str(root)]
    split = ["--split", "multi_choice"] if task == "tempcompass" else []
    assert main([*args, *split, "--quiet", "--out", str(root / "run")]) == 0
    (path,) = (root / "run").rglob("results.json")
    table = json.loads(path.read_text())
    assert isinstance(table, dict)
    return table


@pytest.mark.parametrize(("task", "model", "floor"), CASES)
def test_a_baseline_scores_what_the_floor_of_its_name_does(
    tmp_path: Path, task: str, model: str, floor: str
) -> None:
    table = results(tmp_path, task, model)
    expected = table["floors"][floor]
    if task == "qvhighlights":  # a text answer has no saliency
        expected = {name: value for name, value in expected.items() if name.startswith("MR")}
    assert table["metrics"] == expected
    assert len(set(expected.values())) > 1 or task == "tempcompass"


def answer(kind: str, *samples: Sample) -> str:
    adapter: Adapter = BaselineAdapter(Checkpoint(f"baseline:{kind}", None, argument=kind))
    adapter.begin(samples)
    text = adapter.request(samples[-1], None, PROTOCOL).answer
    assert text is not None
    return text


def test_times_are_written_in_full() -> None:
    assert answer("whole-video", SAMPLE) == "0.0 to 30.96"
    assert answer("constant:0.25:0.5", SAMPLE) == "7.74 to 15.48"
    assert "e" not in answer("constant:0:1", replace(SAMPLE, duration=1e-9))


@pytest.mark.parametrize(
    "kind", ["whole", "random:1", "constant", "constant:0.5:0.2", "constant:a:b"]
)
def test_unknown_baselines_are_refused(kind: str) -> None:
    with pytest.raises(UserError):
        answer(kind, SAMPLE)


def test_a_sample_without_duration_fails_alone() -> None:
    with pytest.raises(ValueError, match="no duration"):
        answer("random", SAMPLE, replace(SAMPLE, id="v:1", duration=None))
    assert answer("whole-video", replace(SAMPLE, id="v:1", duration=None), SAMPLE)


def test_a_question_with_options_needs_no_duration() -> None:
    asked = replace(SAMPLE, options=("a", "bbb"), asks=OutputType.CHOICE, duration=None)
    assert answer("longest-option", asked) == "B"
    both = replace(asked, asks=OutputType.BOTH, duration=10.0)
    assert answer("longest-option", both) == "B, 0.0 to 10.0"
