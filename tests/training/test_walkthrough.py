"""docs/training-walkthrough.md, from top to bottom, on generated videos; its training is killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from vtg_eval.tasks.synth_vtg import TASK, scene_samples, write_video
from vtg_eval.training.data.sample import load_samples

pytest.importorskip("trl", reason="needs the extra train")
pytest.importorskip("vllm", reason="needs an extra with vLLM")

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "training-walkthrough.md"
RUN = "VTG_EVAL_DATA=data vtg-train run walkthrough.toml"
# finds that the generated split is not whole
CHECK = "vtg-eval data check charades_sta --data-root data"
TRAIN, TEST = 10, 3  # videos, each with two samples or more
STAGES = ["curate", "sft", "difficulty", "rl", "evaluation"]


def blocks(kind: str) -> list[str]:
    """Return the page's fenced blocks of a kind ("": of commands and files)."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [text for of_kind, text in fenced if of_kind == kind]


def commands() -> Iterator[str]:
    """Yield the page's commands."""
    _files, *of_commands = blocks("")
    for block in of_commands:
        yield from block.splitlines()


def write_charades(folder: Path) -> None:
    """Write the files that the page begins with."""
    (folder / "videos").mkdir(parents=True)
    lengths = ["id,length"]
    for split, count in (("train", TRAIN), ("test", TEST)):
        lines = []
        for scene in TASK.scenes(split)[:count]:
            video = f"{split.upper()}{scene.number:02}"
            write_video(scene, folder / "videos" / f"{video}.mp4")
            for sample in scene_samples(split, scene):
                for span in sample.target.spans:
                    lines.append(f"{video} {span.start:.1f} {span.end:.1f}##{sample.query}")
            lengths += [f"{video},{sample.duration}"] * (split == "test")
        (folder / f"charades_sta_{split}.txt").write_text("\n".join(lines) + "\n")
    (folder / "Charades_v1_test.csv").write_text("\n".join(lengths) + "\n")


def environment() -> Mapping[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def start(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", f"exec env {command}" if command == RUN else command],
        cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(command: str, folder: Path) -> str:
    process = start(command, folder)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == (command == CHECK), f"{command}\n{out}"
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a JSON lines file that may be there."""
    text = path.read_text() if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def kill(folder: Path) -> None:
    """Start the training and kill it, without warning, after the first step of fine-tuning."""
    process = start(RUN, folder)
    while not lines(folder / "runs/walkthrough/sft/log.jsonl") and process.poll() is None:
        time.sleep(0.05)
    stages = children(process.pid)
    process.kill()
    out, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, out
    deadline = time.monotonic() + 30
    while any(map(lives, stages)):
        assert time.monotonic() < deadline, "a stage outlived the command"
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_the_page_from_annotations_to_a_leaderboard_entry(tmp_path: Path) -> None:
    write_charades(tmp_path / "data/charades_sta")
    shutil.copytree(ROOT / "leaderboard", tmp_path / "board")
    before = set((tmp_path / "board/manifests").iterdir())
    (recipe,) = blocks("toml")
    (tmp_path / "walkthrough.toml").write_text(recipe)
    out = tmp_path / "runs/walkthrough"
    printed: dict[str, str] = {}
    for command in commands():
        if command == RUN:
            kill(tmp_path)
            done = list(json.loads((out / "run.json").read_text()))
            assert "curate" in done and "rl" not in done
        printed[command] = run(command, tmp_path)

    text = printed[RUN]
    assert [name for name in STAGES if f"vtg-train: {name}: done before" in text] == done
    assert [line["step"] for line in lines(out / "sft/log.jsonl")] == [1, 2, 3, 4]
    log = lines(out / "rl/log.jsonl")
    assert [line["step"] for line in log] == [1, 2, 3]
    assert all(line["rollout_difference"] < 1e-3 for line in log)
    assert list(json.loads((out / "run.json").read_text())) == STAGES
    cold_start, rl = (load_samples([out / name]) for name in ("cold-start.jsonl", "data.jsonl"))
    assert cold_start and rl and not {s.id for s in cold_start} & {s.id for s in rl}
    for name in ("start", "trained"):
        results = json.loads((out / f"evaluation/{name}/charades_sta/results.json").read_text())
        assert (results["n_expected"], results["protocol"]) == (4, "strict@2")
    report = (out / "report.md").read_text()
    assert report in text
    for phrase in ("Leaks", "4 of 4 steps", "without variance", "| trained "):
        assert phrase in report
    (entry,) = set((tmp_path / "board/manifests").iterdir()) - before
    assert json.loads(entry.read_text())["spec"]["task"] == "charades_sta"
    assert list((tmp_path / "tables").glob("*.md"))
