"""`vtg-train --devices`: several worker processes, the files of one process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.training import cli
from vtg_eval.training.data.sample import TrainingSample, load_samples, write_samples
from vtg_eval.training.difficulty import check_difficulty
from vtg_eval.training.evaluation import START, run_evaluation, run_folder
from vtg_eval.training.recipe import load_recipe
from vtg_eval.training.rollouts import Rollouts, RolloutWork
from vtg_eval.training.workspace import Workspace

from tests import fakes
from tests.rollouts import DELAY, KILLED
from tests.shell import Shell
from tests.video_files import write_clock
from vtg_eval.errors import EngineError, UserError
from vtg_eval.registry import Registry
from vtg_eval.run.devices import DeviceOptions
from vtg_eval.run.setup import RunOptions, find_model
from vtg_eval.types import Span

RECIPE = """
name = "tiny"
summary = "a test"
source = "this test"

[model]
checkpoint = "model"
dtype = "float32"

[data]
train = ["data.jsonl"]
videos = "videos"

[difficulty]
rollouts = 3
engine = "rollouts"

[rewards]
tiou = 1.0

[evaluation]
tasks = ["fake_vtg"]
engine = "fake"
"""
VIDEOS = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")
ASKED = 3 * 2 * len(VIDEOS)


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """A folder with a recipe, its data and its videos, where processes find the engines."""
    Shell(tmp_path, monkeypatch, capsys)
    fakes.install("rollouts", "tests.rollouts", tmp_path / "site")
    (tmp_path / "videos").mkdir()
    for name in VIDEOS:
        write_clock(tmp_path / "videos" / name, frames=12, rate=6, height=64, width=64)
    samples = [
        TrainingSample(f"{video}/{n}", video, f"query {n}", (Span(0, 1),), "test", duration=2.0)
        for n in range(2)
        for video in VIDEOS
    ]
    write_samples(tmp_path / "data.jsonl", samples)
    (tmp_path / "r.toml").write_text(RECIPE)
    return tmp_path


def difficulty(out: str, *arguments: str) -> Path:
    """Curate and ask in a folder; return the folder of the difficulties."""
    assert cli.main(["curate", "r.toml", "--out", out]) == 0
    assert cli.main(["difficulty", "r.toml", "--out", out, *arguments]) == 0
    return Path(out) / "difficulty"


def ids(folder: Path) -> list[str]:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_two_processes_give_the_difficulties_of_one(home: Path) -> None:
    one, two = difficulty("one"), difficulty("two", "--devices", "2")
    for name in ("difficulty.jsonl", "difficulty.json"):
        assert (two / name).read_bytes() == (one / name).read_bytes()
    assert sorted(ids(two)) == sorted(ids(one))
    assert len(ids(two)) == ASKED


def test_a_killed_workers_videos_go_to_the_other(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = difficulty("one")
    monkeypatch.setenv(KILLED, str(home / "killed"))
    two = difficulty("two", "--devices", "2")
    assert "Its exit status is -9. Workers that go on: 1." in capsys.readouterr().err
    assert (two / "difficulty.jsonl").read_bytes() == (one / "difficulty.jsonl").read_bytes()
    assert len(ids(two)) == ASKED


def test_an_interrupted_difficulty_is_finished_with_another_number_of_devices(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = difficulty("one")
    assert cli.main(["curate", "r.toml", "--out", "two"]) == 0
    monkeypatch.setenv(DELAY, "0.3")
    command = [sys.executable, "-m", "vtg_eval.training.cli", "difficulty", "r.toml"]
    process = subprocess.Popen(
        [*command, "--out", "two", "--devices", "2"], stderr=subprocess.PIPE, text=True
    )
    file = home / "two" / "difficulty" / "journal.jsonl"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "run the same command again to resume" in err
    assert 0 < len(ids(file.parent)) < ASKED
    monkeypatch.delenv(DELAY)
    two = difficulty("two")
    assert (two / "difficulty.jsonl").read_bytes() == (one / "difficulty.jsonl").read_bytes()
    assert len(ids(two)) == ASKED


def test_two_processes_give_the_results_of_one(home: Path) -> None:
    registry, recipe = Registry.discover(), load_recipe(home / "r.toml")
    results = []
    for name, devices in (("one", DeviceOptions()), ("two", DeviceOptions(2))):
        workspace = Workspace(recipe, home / name)
        run_evaluation(workspace, registry, devices)
        folder = run_folder(workspace, START, "fake_vtg")
        results.append((folder / "results.json").read_bytes())
        manifest = json.loads((folder / "manifest.json").read_text())
    assert results[0] == results[1]
    assert manifest["sessions"][0]["engine"]["processes"] == 2


def test_devices_are_checked_before_anything_is_trained(home: Path) -> None:
    recipe = load_recipe(home / "r.toml")
    with pytest.raises(UserError, match="--tensor-parallel needs --engine vllm; in a recipe"):
        check_difficulty(recipe, Registry.discover(), DeviceOptions(2, 2))
    with pytest.raises(UserError, match="--devices 3 is not a multiple"):
        vllm = replace(recipe.difficulty, engine="vllm")
        check_difficulty(replace(recipe, difficulty=vllm), Registry.discover(), DeviceOptions(3, 2))


def test_a_worker_with_another_checkpoint_is_refused(home: Path) -> None:
    recipe, registry = load_recipe(home / "r.toml"), Registry.discover()
    options = RunOptions("model", engine="rollouts")
    rollouts = Rollouts(recipe.model, recipe.difficulty, find_model(options, registry), registry)
    assignment = rollouts.assignment(load_samples([home / "data.jsonl"]), home)
    work = RolloutWork(recipe.model, recipe.difficulty, options)
    assert len(work.questions(assignment).samples) == ASKED
    other = replace(assignment, identity={**assignment.identity, "checkpoint": "0" * 64})
    with pytest.raises(EngineError, match=r"these are not .*: checkpoint\. Make them the same"):
        work.questions(other)
