"""Times the whole table of QVHighlights val, moments and saliency, on one core.

taskset -c 0 python tests/bench/bench_highlights.py ROOT [--repeats 5]

ROOT holds qvhighlights/, the annotation and the authors' sample answers to val
(sample_val_preds.jsonl). The time of a score includes parsing by the protocol; reading the file
of answers is timed separately.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from vtg_eval.tasks.qvhighlights import TASK

from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    registry = Registry.discover()
    samples = TASK.samples(args.root, "val")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        _convert(TASK.file(args.root, "sample_val_preds.jsonl"), path)
        answers = read_predictions(path)
        _report("reading the file of answers", lambda: read_predictions(path), args.repeats)
    for name in ("moment-detr@1", "strict@2"):
        rules = registry.protocol_for(TASK.card, name, "val")
        table = score(TASK.card, samples, answers, rules, "val").metrics
        _report(
            f"{name}: {len(table)} metrics of {len(samples)} queries",
            lambda rules=rules: score(TASK.card, samples, answers, rules, "val"),  # type: ignore[misc]
            args.repeats,
        )


def _convert(source: Path, target: Path) -> None:
    with source.open() as lines, target.open("w") as out:
        for line in map(json.loads, lines):
            spans, saliency = line["pred_relevant_windows"], line["pred_saliency_scores"]
            record = {"id": str(line["qid"]), "spans": spans, "saliency": saliency}
            print(json.dumps(record), file=out)


def _report(title: str, call: Callable[[], object], repeats: int) -> None:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    print(
        f"{title}: median {median(times):.3f} s of {repeats} ({min(times):.3f} to {max(times):.3f})"
    )


if __name__ == "__main__":
    main()
