"""Supervised fine-tuning: resumable, guarded, and its result is scored as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")

import torch
from safetensors.torch import load_file
from vtg_eval.training.trainers.batches import find_start_checkpoint, make_batches
from vtg_eval.training.trainers.sft import run_sft

from tests.folder_holder import held_elsewhere
from tests.training_case import (
    RunSetup,
    figures,
    killed_at,
    lines,
    seconds_of_parts,
    train,
    train_in_two_processes,
    with_rule,
)
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]


@pytest.fixture(scope="module")
def trained(one: RunSetup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps without an interruption."""
    out = tmp_path_factory.mktemp("sft") / "out"
    train("sft", one.recipe(), one.examples, out)
    return out


def weights(folder: Path) -> Mapping[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def changed(start: Path, result: Path) -> set[str]:
    """Return which weights training moved."""
    before, after = weights(start), weights(result)
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def is_vision(name: str) -> bool:
    return "visual" in name.split(".")


def test_the_log_has_a_line_for_each_step(trained: Path) -> None:
    log = lines(trained)
    assert [line["step"] for line in log] == list(range(1, 7))
    assert log[-1]["loss"] < log[0]["loss"]
    assert {"token_accuracy", "grad_norm", "learning_rate"} < log[0].keys()


def test_the_seconds_of_a_step_are_those_of_its_parts(trained: Path) -> None:
    steps = seconds_of_parts(trained)
    assert steps[0]["inputs"] > 0  # the last step's batch is built during the step before
    assert all(parts["learning"] > 0 and parts["rollouts"] == 0 for parts in steps)


def test_a_killed_training_resumes_to_the_same_curve_and_weights(
    one: RunSetup, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed_at(4, "sft", one.recipe(), one, out)
    assert not (out / "checkpoint").exists()
    train("sft", one.recipe(), one.examples, out)
    assert figures(out) == figures(trained)
    assert not changed(trained / "checkpoint", out / "checkpoint")


def test_an_incomplete_state_is_ignored(one: RunSetup, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    shutil.rmtree(out / "checkpoint")
    (out / "state" / "checkpoint-6" / "complete").unlink()
    (out / "state" / "checkpoint-6" / "optimizer.pt").write_bytes(b"half")
    train("sft", one.recipe(), one.examples, out)
    assert figures(out) == figures(trained)
    assert not changed(trained / "checkpoint", out / "checkpoint")


def test_a_finished_training_is_left_alone(one: RunSetup, trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert run_sft(one.recipe(), one.examples, trained) == trained / "checkpoint"
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_two_processes_learn_as_one(one: RunSetup, trained: Path, tmp_path: Path) -> None:
    """Each process has half of each step's samples."""
    out = tmp_path / "out"
    recipe = with_rule(one.recipe(), "sft", device_batch=1)
    train_in_two_processes("sft", recipe, one.examples, out)
    together = [line["loss"] for line in lines(out)]
    assert together == pytest.approx([line["loss"] for line in lines(trained)], rel=1e-4)
    assert (out / "checkpoint" / "model.safetensors").is_file()


def test_accumulated_batches_learn_as_one(one: RunSetup, trained: Path, tmp_path: Path) -> None:
    recipe = with_rule(one.recipe(), "sft", device_batch=1)
    train("sft", recipe, one.examples, tmp_path / "out")
    apart = [line["loss"] for line in lines(tmp_path / "out")]
    assert apart == pytest.approx([line["loss"] for line in lines(trained)], rel=1e-4)


def test_the_checkpoint_is_scored_as_it_is(one: RunSetup, trained: Path) -> None:
    registry = Registry.discover()
    model = replace(one.recipe().model, checkpoint=str(trained / "checkpoint"))
    batches, _ = make_batches(find_start_checkpoint(model, registry), registry)
    rule, options = GenerationRule(max_new_tokens=4), EngineOptions(batch_size=2)
    engine = TransformersEngine(trained / "checkpoint", rule, options)
    completions = list(engine.generate(batches.request(e) for e in one.examples))
    engine.close()
    assert [c.finish for c in completions if c.finish == Finish.ERROR] == []
    assert len(completions) == len(one.examples)
    for name in ("generation_config.json", "chat_template.jinja", "tokenizer.json"):
        kept = (trained / "checkpoint" / name).read_bytes()
        assert kept == (one.start / name).read_bytes()


def test_nothing_but_tensors_is_in_the_checkpoint_and_no_pickle_in_the_state(trained: Path) -> None:
    kinds = {path.suffix for path in (trained / "checkpoint").iterdir()}
    assert kinds == {".safetensors", ".json", ".jinja"}
    for path in trained.rglob("*.pt*"):  # the trainer's files load without unpickling
        with torch.serialization.safe_globals(_numpy_state()):
            torch.load(path, weights_only=True)
    assert not list(trained.rglob("*.bin"))


def _numpy_state() -> list[Any]:
    """Return the types that transformers allows in the state of numpy's generator."""
    from transformers.trainer_pt_utils import safe_globals

    with safe_globals():
        return torch.serialization.get_safe_globals()


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_both_families_train_a_step_by_the_code_of_the_full_recipes(
    stage: str, setup: RunSetup, tmp_path: Path
) -> None:
    """As in the 7B recipes: bfloat16, a frozen vision tower, no reference model."""
    rule = {"steps": 1, "warmup": 0.0} | (
        {"beta": 0.0, "group": 2, "device_batch": 2} if stage == "rl" else {}
    )
    recipe = with_rule(setup.recipe(dtype="bfloat16", freeze_vision=True), stage, **rule)
    result = train(stage, recipe, setup.examples, tmp_path / "out")
    assert len(lines(tmp_path / "out")) == 1
    moved = _moved(setup.start, result)
    assert moved or stage == "rl"  # a random model earns nothing
    assert not {name for name in moved if is_vision(name)}
    assert all(tensor.dtype == torch.bfloat16 for tensor in weights(result).values())


def _moved(start: Path, result: Path) -> set[str]:
    before, after = weights(start), weights(result)
    return {n for n in before if not torch.equal(before[n].to(torch.bfloat16), after[n])}


def test_adapters_are_merged_into_the_language_model(one: RunSetup, tmp_path: Path) -> None:
    recipe = one.recipe(train="lora", lora_rank=2, freeze_vision=True)
    result = train("sft", with_rule(recipe, "sft", steps=2), one.examples, tmp_path / "out")
    moved = changed(one.start, result)
    assert moved
    assert all(".layers." in name and name.endswith("_proj.weight") for name in moved)
    assert not {name for name in moved if is_vision(name)}
    assert not (result / "adapter_config.json").exists()


def test_adapters_resume_too(one: RunSetup, tmp_path: Path) -> None:
    recipe = one.recipe(train="lora", lora_rank=2, freeze_vision=True)
    recipe = with_rule(recipe, "sft", steps=4, save_steps=2)
    train("sft", recipe, one.examples, tmp_path / "straight")
    shutil.copytree(tmp_path / "straight", tmp_path / "cut")
    for name in ("checkpoint", "state/checkpoint-4"):
        shutil.rmtree(tmp_path / "cut" / name)
    train("sft", recipe, one.examples, tmp_path / "cut")
    assert figures(tmp_path / "cut") == figures(tmp_path / "straight")
    assert not changed(tmp_path / "cut" / "checkpoint", tmp_path / "straight" / "checkpoint")


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(
    one: RunSetup, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    recipe = with_rule(
        one.recipe(), "sft", learning_rate=1e30, save_steps=1, warmup=0.0, schedule="constant"
    )
    with pytest.raises(UserError, match=r"not finite at step [2-6]\. The last good state is kept"):
        train("sft", recipe, one.examples, out)
    assert not (out / "checkpoint").exists()
    states = sorted((out / "state").glob("checkpoint-*/model.safetensors"))
    assert states
    assert all(torch.isfinite(t).all() for t in load_file(states[-1]).values())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": 7}, r"sft\.steps \(before \d+, now 7\)"),
        ({"learning_rate": 2e-3, "seed": 5}, r"sft\.learning_rate .*, sft\.seed .*now 5\)"),
    ],
)
def test_a_folder_of_another_recipe_is_refused(
    change: dict[str, Any], named: str, one: RunSetup, trained: Path
) -> None:
    before = (trained / "training.json").read_bytes()
    with pytest.raises(UserError, match=f"other settings: {named}"):
        run_sft(with_rule(one.recipe(), "sft", **change), one.examples, trained)
    assert (trained / "training.json").read_bytes() == before


def test_a_folder_of_other_data_is_refused(one: RunSetup, trained: Path) -> None:
    other = (replace(one.examples[0], answer="9.0 - 9.5"), *one.examples[1:])
    with pytest.raises(UserError, match=r"other settings: data \(before"):
        run_sft(one.recipe(), other, trained)


def test_a_folder_with_something_else_in_it_is_left_alone(one: RunSetup, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"is no training folder, but holds thesis\.tex"):
        run_sft(one.recipe(), one.examples, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_another_process_trains_in_is_refused(one: RunSetup, tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "out"), pytest.raises(FolderInUse, match="at work in"):
        run_sft(one.recipe(), one.examples, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["lock"]


def test_batches_that_do_not_divide_are_named(one: RunSetup, tmp_path: Path) -> None:
    recipe = with_rule(one.recipe(), "sft", batch=3)
    with pytest.raises(UserError, match=r"sft\.batch is 3, which is no multiple of 1 processes"):
        run_sft(recipe, one.examples, tmp_path / "out")


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_training_is_quiet(
    stage: str, one: RunSetup, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(stage, with_rule(one.recipe(), stage, steps=1), one.examples, tmp_path / "out")
    out, err = capfd.readouterr()
    assert out == ""
    cut = "vtg-train: warning: "  # a random model's answers have no end
    assert [line for line in err.splitlines() if not (stage == "rl" and line.startswith(cut))] == []
