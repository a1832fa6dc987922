"""Weights that are divided among two processes without a GPU: what one process learns."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")

import torch
from accelerate import PartialState
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from vtg_eval.training.recipe import Recipe
from vtg_eval.training.shipped import LAUNCH
from vtg_eval.training.trainers import sft
from vtg_eval.training.trainers.batches import Example
from vtg_eval.training.trainers.stage import Stage

from tests.training_case import RunSetup, in_two_processes, lines, train, with_rule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]

OPTIONS = ("--num_processes", "2", "--mixed_precision", "no")
NEEDS_DEEPSPEED = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="needs the extra deepspeed"
)
ZERO = [pytest.param(name, marks=NEEDS_DEEPSPEED) for name in ("zero2", "zero3")]
OPTIMISER = {"fsdp2": "optimizer.bin", "zero2": "global_step*", "zero3": "global_step*"}


def train_divided(
    launch: str, stage: str, recipe: Recipe, examples: Sequence[Example], out: Path
) -> None:
    """Train in one of two processes, as `accelerate launch --config_file` starts it."""
    os.environ.pop("ACCELERATE_USE_CPU", None)
    os.environ.update(launched(launch), DS_ACCELERATOR="cpu")
    call_cpus_gpus()
    train(stage, recipe, examples, out)


def launched(launch: str) -> dict[str, str]:
    """Return the variables that `accelerate launch` sets for a configuration."""
    command = ["--config_file", str(LAUNCH / f"{launch}.yaml"), *OPTIONS, "script"]
    arguments, defaults, _ = _validate_launch_command(launch_command_parser().parse_args(command))
    if arguments.use_deepspeed:
        fields = ",".join(defaults.deepspeed_config)
        arguments.deepspeed_fields_from_accelerate_config = fields
        _, variables = prepare_deepspeed_cmd_env(arguments)
    else:
        variables = prepare_multi_gpu_env(arguments)
    return {name: v for name, v in variables.items() if name.startswith(("FSDP", "ACCELERATE"))}


def call_cpus_gpus() -> None:
    """Have accelerate divide weights on CPUs, where it ignores the configuration."""
    state: Any = PartialState
    initialise, arguments = state.__init__, Stage.arguments
    state.__init__ = lambda self, cpu=False, **options: initialise(self, cpu=False, **options)
    state._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)
    state.set_device = lambda self: setattr(self, "device", torch.device("cpu"))
    Stage.arguments = lambda *values: {**arguments(*values), "use_cpu": False}
    sft.WORKERS = 0  # processes that build batches, which are for GPUs


def require_same(
    launch: str, stage: str, one: Recipe, two: Recipe, setup: RunSetup, folder: Path
) -> None:
    """Train by one process, by two, and by two that resume, and compare the logs."""
    train(stage, one, setup.examples, folder / "one")
    out = folder / "two"
    in_two_processes(train_divided, launch, stage, two, setup.examples, out)
    uninterrupted = lines(out)
    for line, alone in zip(uninterrupted, lines(folder / "one"), strict=True):
        for key in ("loss", "grad_norm", *({"reward", "group_deviation"} & alone.keys())):
            assert line[key] == pytest.approx(alone[key], rel=1e-3, abs=1e-5), key
    last = sorted((out / "state").iterdir())[-1]
    assert list(last.glob(OPTIMISER[launch])), "the configuration was ignored"
    shutil.rmtree(out / "checkpoint")
    shutil.rmtree(last)
    in_two_processes(train_divided, launch, stage, two, setup.examples, out)
    for line, same in zip(lines(out), uninterrupted, strict=True):
        assert line["loss"] == pytest.approx(same["loss"], rel=1e-6)
    assert (out / "checkpoint" / "model.safetensors").is_file()


@pytest.mark.parametrize("launch", ["fsdp2", *ZERO])
def test_two_processes_learn_as_one(launch: str, one: RunSetup, tmp_path: Path) -> None:
    """With two batches in each step, and a head that has weights of its own."""
    alone = with_rule(one.recipe(), "sft", steps=3, batch=4, device_batch=4, save_steps=2)
    require_same(launch, "sft", alone, with_rule(alone, "sft", device_batch=1), one, tmp_path)


@pytest.mark.parametrize("launch", ["fsdp2", *ZERO])
def test_two_processes_draw_and_learn_as_one(launch: str, cold: RunSetup, tmp_path: Path) -> None:
    """Without the entropy term, which is a mean over the tokens of each process."""
    alone = with_rule(
        cold.recipe(), "rl", steps=2, loss="grpo", learning_rate=1e-5, entropy=0.0, save_steps=1
    )
    require_same(launch, "rl", alone, with_rule(alone, "rl", device_batch=4), cold, tmp_path)


@NEEDS_DEEPSPEED
def test_vllm_has_the_weights_that_zero3_divides(cold: RunSetup, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="needs an extra with vLLM")
    alone = with_rule(
        cold.recipe(), "rl", steps=2, loss="grpo", learning_rate=1e-3, entropy=0.0, save_steps=1,
        rollouts="vllm-colocate",
    )  # fmt: skip
    require_same("zero3", "rl", alone, with_rule(alone, "rl", device_batch=4), cold, tmp_path)
    for line in lines(tmp_path / "two"):
        assert line["rollout_difference"] < 1e-3
