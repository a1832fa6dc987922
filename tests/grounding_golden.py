"""Scoring golden predictions as a user does, through the command line."""

import json
from collections import Counter

from tests.reference_data import BENCHMARKS, GOLDEN
from vtg_eval.cli import main

TIME_R1 = {"mIoU": "mIoU", "0.3": "R1@0.3", "0.5": "R1@0.5", "0.7": "R1@0.7", "avg": "avg"}


def golden(path):
    """The JSON of a golden file, a list of values where it has a line for each."""
    text = (GOLDEN / path).read_text(encoding="utf-8")
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def result(folder, task, protocol, answers, root=None, split=None):
    """The whole result of `vtg-eval score` as it writes it."""
    predictions, out = folder / "predictions.jsonl", folder / "out.json"
    predictions.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    words = ["score", "--task", task, "--data-root", str(root or BENCHMARKS), "--json", str(out)]
    words += ["--predictions", str(predictions), "--protocol", protocol]
    assert main(words + (["--split", split] if split else [])) == 0
    return json.loads(out.read_text())


def by_protocol(found):
    """The same answers' metrics under every protocol of the task."""
    return {row["protocol"]: row["metrics"] for row in found["scores_across_protocols"]}


def numbered(videos):
    """The ids <video>/<k> of records in file order."""
    seen: Counter[str] = Counter()
    for video in videos:
        yield f"{video}/{seen[video]}"
        seen[video] += 1


def numbers(rows, ids):
    return [
        {"id": name, "spans": [row["pred"]] if row["pred"] else None}
        for row, name in zip(rows, ids, strict=True)
    ]


def texts(rows, ids):
    return [{"id": name, "text": row["text"]} for row, name in zip(rows, ids, strict=True)]


def ranked(rows, ids):
    return [{"id": name, "spans": row["pred_ranked"]} for row, name in zip(rows, ids, strict=True)]


def time_r1(official):
    """The figures of eval_all.py under our names, null for NaN."""
    scores = official["scores"]
    return {
        ours: scores[key] if scores[key] == scores[key] else None for key, ours in TIME_R1.items()
    }


def two_d_tan(official):
    """The figures of 2D-TAN's eval in percent, under our names."""
    figures = {"mIoU": official["miou"] * 100}
    thresholds, ranks = official["TIOU"].split(","), official["RECALL"].split(",")
    for threshold, values in zip(thresholds, official["recall_by_tiou_then_k"], strict=True):
        for rank, value in zip(ranks, values, strict=True):
            figures[f"R{rank}@{threshold}"] = value * 100
    return figures
