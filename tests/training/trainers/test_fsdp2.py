"""FSDP2 on two processes without a GPU: what one process learns."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")

from accelerate import PartialState
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env
from vtg_eval.training.recipe import Recipe
from vtg_eval.training.shipped import LAUNCH
from vtg_eval.training.trainers.batches import Example

from tests.training_case import RunSetup, in_two_processes, lines, train, with_rule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]

OPTIONS = ("--num_processes", "2", "--mixed_precision", "no")


def train_divided(stage: str, recipe: Recipe, examples: Sequence[Example], out: Path) -> None:
    """Train in one of two processes, as `accelerate launch --config_file fsdp2.yaml` starts it."""
    command = ["--config_file", str(LAUNCH / "fsdp2.yaml"), *OPTIONS, "script"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(command))
    environment = prepare_multi_gpu_env(arguments)
    ours = {name: v for name, v in environment.items() if name.startswith(("FSDP", "ACCELERATE"))}
    os.environ.update(ours, ACCELERATE_USE_CPU="true")
    _call_cpus_gpus()
    train(stage, recipe, examples, out)


def _call_cpus_gpus() -> None:
    """Have accelerate take FSDP2, which it ignores on CPUs, from the configuration."""
    initialise = PartialState.__init__

    def initialise_as_gpus(state: Any, *arguments: Any, **options: Any) -> None:
        initialise(state, *arguments, **options)
        if state.distributed_type == DistributedType.MULTI_CPU:
            state.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = initialise_as_gpus


def require_same(stage: str, one: Recipe, two: Recipe, setup: RunSetup, folder: Path) -> None:
    """Train by one process, by two, and by two that resume, and compare the logs."""
    train(stage, one, setup.examples, folder / "one")
    out = folder / "two"
    in_two_processes(train_divided, stage, two, setup.examples, out)
    uninterrupted = lines(out)
    for line, alone in zip(uninterrupted, lines(folder / "one"), strict=True):
        for key in ("loss", "grad_norm", *({"reward", "group_deviation"} & alone.keys())):
            assert line[key] == pytest.approx(alone[key], rel=1e-3, abs=1e-5), key
    last = sorted((out / "state").iterdir())[-1]
    assert (last / "optimizer.bin").is_file(), "accelerate did not use FSDP"
    shutil.rmtree(out / "checkpoint")
    shutil.rmtree(last)
    in_two_processes(train_divided, stage, two, setup.examples, out)
    for line, same in zip(lines(out), uninterrupted, strict=True):
        assert line["loss"] == pytest.approx(same["loss"], rel=1e-6)
    assert (out / "checkpoint" / "model.safetensors").is_file()


def test_two_processes_learn_as_one(one: RunSetup, tmp_path: Path) -> None:
    """With two batches in each step, and a head that has weights of its own."""
    alone = with_rule(one.recipe(), "sft", steps=3, batch=4, device_batch=4, save_steps=2)
    require_same("sft", alone, with_rule(alone, "sft", device_batch=1), one, tmp_path)


def test_two_processes_draw_and_learn_as_one(cold: RunSetup, tmp_path: Path) -> None:
    """Without the entropy term, which is a mean over the tokens of each process."""
    alone = with_rule(
        cold.recipe(), "rl", steps=2, loss="grpo", learning_rate=1e-5, entropy=0.0, save_steps=1
    )
    require_same("rl", alone, with_rule(alone, "rl", device_batch=4), cold, tmp_path)
