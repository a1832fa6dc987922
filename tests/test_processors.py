"""Results have the same digits on every processor and with any number of threads."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.leaderboard_case import board_copy
from vtg_eval.registry import Registry

REPOSITORY = Path(__file__).parents[1]
VIDEOS, QUERIES, CLIPS = 120, 3, 15

numpy_build = importlib.import_module("numpy._core._multiarray_umath")
# numpy's optional CPU features that this processor has; the list may be empty
NEWER = [name for name in numpy_build.__cpu_dispatch__ if numpy_build.__cpu_features__[name]]
AVX512 = [name for name in NEWER if name.startswith("AVX512") or name == "X86_V4"]
AVX2 = [name for name in NEWER if name in ("AVX2", "X86_V3")]

SETTINGS = {
    "as it is, one thread": (1, "", []),
    "as it is, two threads": (2, "", []),
    "Prescott": (1, "Prescott", NEWER),
    **({"Haswell": (2, "Haswell", AVX512)} if AVX2 else {}),
    **({"SkylakeX": (2, "SkylakeX", [])} if AVX512 else {}),
}

# run by one process, in a folder beside the data
COMMANDS = """
from vtg_eval.cli import main

def call(*words):
    assert main([*words]) == 0, words

DATA = ("--data-root", "..")
for name in ("whole-video", "random"):
    words = ("--tasks", "charades_sta", *DATA, "--out", name, "--quiet")
    call("run", "--model", f"baseline:{name}", *words)
for task, split, protocol in (
    ("charades_sta", "test", "strict@2"),
    ("qvhighlights", "val", "strict@2"),
    ("qvhighlights", "val", "moment-detr@1"),
):
    words = ("--task", task, "--split", split, "--protocol", protocol, *DATA)
    answers, others = f"../{task}.jsonl", f"../{task}-other.jsonl"
    call("score", *words, "--predictions", answers, "--json", f"score-{task}-{protocol}.json")
    call("compare", *words, answers, others, "--json", f"compare-{task}-{protocol}.json")
call("compare", "whole-video", "random", *DATA, "--json", "compare-runs.json")
call("compare", "--plan", "whole-video", "random", *DATA, "--json", "plan.json")
call("leaderboard", "build", "--board", "../board", "whole-video", *DATA, "--out", "leaderboard")
"""
RESULTS = ("*.json", "*/results.json", "leaderboard/**/*.*")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two tasks, two files of predictions for each, and a leaderboard."""
    folder = tmp_path_factory.mktemp("processors")
    draw = random.Random(3)
    _charades(folder, draw)
    _qvhighlights(folder, draw)
    board_copy(folder / "board")
    return folder


def test_all_settings_give_the_same_bytes(home: Path) -> None:
    outputs = {name: _outputs(home, *setting) for name, setting in SETTINGS.items()}
    first = next(iter(outputs.values()))
    assert len(first) > 20 and len(outputs) >= 3
    for name, files in outputs.items():
        differing = sorted(
            file for file in first.keys() | files if first.get(file) != files.get(file)
        )
        assert not differing, name


def _outputs(home: Path, threads: int, core: str, disabled: list[str]) -> dict[str, bytes]:
    """Return the files that a process with these settings writes."""
    folder = home / "out"
    folder.mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"},
        **({"OPENBLAS_CORETYPE": core} if core else {}),
        "NPY_DISABLE_CPU_FEATURES": " ".join(disabled),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PYTHONPATH": str(REPOSITORY),
        "VTG_EVAL_CACHE": str(folder / "cache"),
    }
    subprocess.run(
        [sys.executable, "-c", COMMANDS], cwd=folder, env=environment, check=True, timeout=120
    )
    files = [path for pattern in RESULTS for path in folder.glob(pattern) if path.is_file()]
    outputs = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    shutil.rmtree(folder)
    return outputs


def _charades(folder: Path, draw: random.Random) -> None:
    lines, names = [], {f"V{number:04d}": draw.uniform(20, 40) for number in range(VIDEOS)}
    for video, length in names.items():
        for query in range(draw.randint(1, QUERIES)):
            start = draw.uniform(0, length - 5)
            end = draw.uniform(start + 1, length)
            lines.append(f"{video} {start:.1f} {end:.1f}##person {query} {video}.\n")
    (folder / "charades_sta_test.txt").write_text("".join(lines))
    rows = [f"{video},{length:.2f}\n" for video, length in names.items()]
    (folder / "Charades_v1_test.csv").write_text("".join(["id,length\n", *rows]))
    ids = _ids("charades_sta", folder)
    for name in ("charades_sta", "charades_sta-other"):
        answers = [{"id": sample_id, "spans": [sorted(_times(draw, 2, 30))]} for sample_id in ids]
        _write(folder / f"{name}.jsonl", answers)


def _qvhighlights(folder: Path, draw: random.Random) -> None:
    records = []
    for number in range(VIDEOS * 2):
        clips = sorted(draw.sample(range(CLIPS), draw.randint(2, 8)))
        starts = [2 * clip for clip in clips if clip - 1 not in clips]
        ends = [2 * clip + 2 for clip in clips if clip + 1 not in clips]
        records.append(
            {
                "qid": number,
                "query": f"query {number}",
                "vid": f"v{number // 2}",
                "duration": 2 * CLIPS,
                "relevant_clip_ids": clips,
                "relevant_windows": [list(window) for window in zip(starts, ends, strict=True)],
                "saliency_scores": [[draw.randint(0, 4) for _ in range(3)] for _ in clips],
            }
        )
    _write(folder / "highlight_val_release.jsonl", records)
    for name in ("qvhighlights", "qvhighlights-other"):
        _write(
            folder / f"{name}.jsonl",
            [
                {
                    "id": str(record["qid"]),
                    "spans": [[*sorted(_times(draw, 2, 30)), draw.random()] for _ in range(10)],
                    "saliency": _times(draw, CLIPS, 1),
                }
                for record in records
            ],
        )


def _times(draw: random.Random, count: int, most: float) -> list[float]:
    return [round(draw.uniform(0, most), 2) for _ in range(count)]


def _ids(task: str, root: Path) -> list[str]:
    samples = Registry.discover().task(task).samples(root, "test")
    return [sample.id for sample in samples]


def _write(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
