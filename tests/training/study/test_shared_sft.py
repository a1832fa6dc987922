"""The cold start of one training is taken over by another with the same settings, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.training.pipeline import FinishedStages, steps
from vtg_eval.training.recipe import Recipe, make_recipe
from vtg_eval.training.study.shared_sft import take_over_sft
from vtg_eval.training.workspace import Workspace

from vtg_eval.registry import Registry

REGISTRY = Registry.discover()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "data.jsonl").touch()
    table = {
        "name": "r",
        "summary": "s",
        "source": "this test",
        "model": {"checkpoint": "nano"},
        "data": {"train": [str(tmp_path / "data.jsonl")]},
        "sft": {"steps": 4},
    }
    return make_recipe(table)


def trained(recipe: Recipe, folder: Path) -> Workspace:
    """Return a folder in which SFT is finished."""
    workspace = Workspace(recipe, folder)
    (workspace.sft / "checkpoint").mkdir(parents=True)
    (workspace.sft / "checkpoint" / "model.safetensors").write_text("weights")
    for name in ("training.json", "log.jsonl"):
        (workspace.sft / name).write_text(name)
    (step,) = (step for step in steps(workspace, REGISTRY) if step.stage == "sft")
    FinishedStages(folder).add(step)
    return workspace


def test_equal_settings_are_trained_once(recipe: Recipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "first")
    second = Workspace(recipe, tmp_path / "second")
    second.folder.mkdir()
    assert take_over_sft(second, tmp_path / "first", REGISTRY)
    assert (second.sft / "checkpoint" / "model.safetensors").read_text() == "weights"
    assert (second.sft / "log.jsonl").read_text() == "log.jsonl"
    assert "sft" in FinishedStages(second.folder).stages
    assert take_over_sft(second, tmp_path / "nowhere", REGISTRY)  # it has a result


def test_other_settings_and_unfinished_work_are_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.sft
    trained(recipe, tmp_path / "first")
    other = Workspace(replace(recipe, sft=replace(recipe.sft, seed=1)), tmp_path / "other")
    other.folder.mkdir()
    assert not take_over_sft(other, tmp_path / "first", REGISTRY)
    assert not other.sft.exists()
    begun = Workspace(recipe, tmp_path / "begun")
    (begun.sft / "state").mkdir(parents=True)
    assert not take_over_sft(begun, tmp_path / "first", REGISTRY)
    assert not (begun.sft / "checkpoint").exists()
