"""Golden files, and their predictions scored as a user does, through the command line."""

import json
from collections import Counter

from tests.reference_data import BENCHMARKS, GOLDEN
from vtg_eval.cli import main

TIME_R1 = {"mIoU": "mIoU", "0.3": "R1@0.3", "0.5": "R1@0.5", "0.7": "R1@0.7", "avg": "avg"}


def golden(path):
    """The JSON of a golden file; of a .jsonl file, the list of its lines' values."""
    text = (GOLDEN / path).read_text(encoding="utf-8")
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def golden_names(folder, suffix):
    """The names in a folder of golden files that end in a suffix, without it."""
    return sorted(path.name.removesuffix(suffix) for path in (GOLDEN / folder).glob(f"*{suffix}"))


def score_predictions(folder, task, protocol, predictions, root=None, split=None):
    """The results that `vtg-eval score --json` writes; its files lie in the given folder."""
    path, out = folder / "predictions.jsonl", folder / "out.json"
    path.write_text("".join(json.dumps(prediction) + "\n" for prediction in predictions))
    arguments = ["score", "--task", task, "--data-root", str(root or BENCHMARKS)]
    arguments += ["--predictions", str(path), "--protocol", protocol, "--json", str(out)]
    arguments += ["--allow-non-finite"]  # scored as the source does
    assert main(arguments + (["--split", split] if split else [])) in (0, 1)  # 1: ids differ
    return json.loads(out.read_text())


def metrics_by_protocol(results):
    """The same predictions' metrics under every protocol of the task."""
    return {row["protocol"]: row["metrics"] for row in results["scores_across_protocols"]}


def by_sample(results, key):
    """One value of every sample, by the sample's id."""
    return {sample["id"]: sample[key] for sample in results["samples"]}


def numbered_ids(videos):
    """The ids <video>/<k> of records in file order."""
    counts: Counter[str] = Counter()
    for video in videos:
        yield f"{video}/{counts[video]}"
        counts[video] += 1


def span_predictions(rows, ids):
    return [
        {"id": name, "spans": [row["pred"]] if row["pred"] else None}
        for row, name in zip(rows, ids, strict=True)
    ]


def text_predictions(rows, ids):
    return [{"id": name, "text": row["text"]} for row, name in zip(rows, ids, strict=True)]


def ranked_predictions(rows, ids):
    return [{"id": name, "spans": row["pred_ranked"]} for row, name in zip(rows, ids, strict=True)]


def time_r1_metrics(official):
    """The figures of eval_all.py under the harness's names, null for NaN."""
    scores = official["scores"]
    return {
        name: scores[key] if scores[key] == scores[key] else None for key, name in TIME_R1.items()
    }


def two_d_tan_metrics(official):
    """The figures of 2D-TAN's eval in percent, under the harness's names."""
    figures = {"mIoU": official["miou"] * 100}
    thresholds, ranks = official["TIOU"].split(","), official["RECALL"].split(",")
    for threshold, values in zip(thresholds, official["recall_by_tiou_then_k"], strict=True):
        for rank, value in zip(ranks, values, strict=True):
            figures[f"R{rank}@{threshold}"] = value * 100
    return figures
