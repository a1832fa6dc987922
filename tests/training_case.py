"""Tiny trainings: a checkpoint, three clock videos, five samples, and processes to kill."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from vtg_eval.training.recipe import DataRule, ModelRule, Recipe, RewardRule, RlRule, SftRule
from vtg_eval.training.trainers.batches import Example
from vtg_eval.training.trainers.step_clock import PARTS, TOTAL, column

from tests.tiny_families import qwen2_5_vl, qwen3_vl
from tests.video_files import write_clock
from vtg_eval.registry import Registry
from vtg_eval.run.requests import SampleContext, no_subtitles
from vtg_eval.types import Sample, Span, Target

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2_5_vl": qwen2_5_vl.build,
    "qwen3_vl": qwen3_vl.build,
}
CONTEXT = SampleContext(Registry.discover().protocol("strict@2").without_task, no_subtitles)
QUERIES = ("it", "the red square moves", "été — 夏", "A man opens the door, then\nleaves.", "then")
SFT = SftRule(steps=6, batch=2, device_batch=2, learning_rate=1e-3, save_steps=3)
RL = RlRule(
    steps=6, prompts=2, group=4, device_batch=8, max_new_tokens=10, learning_rate=1e-3,
    beta=0.04, entropy=1e-3, save_steps=3,
)  # fmt: skip
REWARDS = RewardRule(tiou=0.9, parse_penalty=0.5)


@dataclass(frozen=True, slots=True)
class RunSetup:
    """A start checkpoint and samples."""

    family: str
    start: Path
    examples: tuple[Example, ...]

    def recipe(self, sft: SftRule = SFT, rl: RlRule = RL, **model: Any) -> Recipe:
        rule = ModelRule(str(self.start), **{"dtype": "float32", "freeze_vision": False, **model})
        return Recipe("tiny", "", "", rule, DataRule(()), sft=sft, rl=rl, rewards=REWARDS)


def make_setup(family: str, folder: Path) -> RunSetup:
    """Write the checkpoint and the videos, which have more frame pairs than rows and columns."""
    start = FAMILIES[family](folder / "start")
    videos = [
        write_clock(folder / f"{n}.mp4", frames=36 + 6 * n, rate=6, height=56, width=64)
        for n in range(3)
    ]
    examples = [
        Example(
            Sample(
                f"s{n}", f"v{n % 3}", query, Target((Span(n / 4, n / 4 + 1),)),
                duration=6.0 + n % 3,
            ),
            videos[n % 3],
            CONTEXT,
            f"{n / 4:.1f} - {n / 4 + 1:.1f}",
        )
        for n, query in enumerate(QUERIES)
    ]  # fmt: skip
    return RunSetup(family, start, tuple(examples))


def lines(out: Path) -> list[dict[str, Any]]:
    """Return a training's log."""
    log = out / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []


def figures(out: Path) -> list[dict[str, Any]]:
    """Return a training's log without the seconds, which differ from run to run."""
    timed = {TOTAL, *map(column, PARTS)}
    return [{k: v for k, v in line.items() if k not in timed} for line in lines(out)]


def seconds_of_parts(out: Path) -> list[dict[str, float]]:
    """Return what each step's time was spent on, checked against the steps' and the whole time."""
    log = lines(out)
    parts = [{part: line[column(part)] for part in PARTS} for line in log]
    for line, spent in zip(log, parts, strict=True):
        assert min(spent.values()) >= 0
        assert abs(sum(spent.values()) - line[TOTAL]) < 1e-5
    began, ended = (out / "training.json").stat(), (out / "checkpoint").stat()
    assert 0 < sum(line[TOTAL] for line in log) < ended.st_mtime - began.st_mtime
    return parts


def train(stage: str, recipe: Recipe, examples: Sequence[Example], out: Path) -> Path:
    """Train one stage in this process, with one thread, so that sums do not depend on threads."""
    from vtg_eval.training.trainers.rl import run_rl
    from vtg_eval.training.trainers.sft import run_sft

    torch.set_num_threads(1)
    return {"sft": run_sft, "rl": run_rl}[stage](recipe, examples, out)


def after_cold_start(setup: RunSetup, steps: int, out: Path) -> RunSetup:
    """Return the setup after fine-tuning: its answers are spans, some of them right."""
    recipe = with_rule(
        setup.recipe(), "sft", steps=steps, batch=5, device_batch=5, learning_rate=1e-2, warmup=0.0
    )
    return replace(setup, start=train("sft", recipe, setup.examples, out))


def process_context() -> Any:
    """Return a context for processes that have the libraries loaded, and no threads yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["vtg_eval.training.trainers.sft", "vtg_eval.training.trainers.rl"]
    )
    return context


def train_in_two_processes(
    stage: str, recipe: Recipe, examples: Sequence[Example], out: Path
) -> None:
    """Train one stage in two processes over gloo."""
    in_two_processes(train, stage, recipe, examples, out)


def in_two_processes(target: Callable[..., object], *arguments: Any) -> None:
    """Call a function in two processes with the environment in which accelerate starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    workers = [
        process_context().Process(target=_worker, args=(rank, port, target, *arguments))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]


def _worker(rank: int, port: int, target: Callable[..., object], *arguments: Any) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    target(*arguments)


def with_rule(recipe: Recipe, stage: str, **values: Any) -> Recipe:
    """Return the recipe with values of one stage's rule replaced."""
    return replace(recipe, **{stage: replace(getattr(recipe, stage), **values)})


def killed_at(step: int, stage: str, recipe: Recipe, setup: RunSetup, out: Path) -> None:
    """Train in a process of its own and kill it once `step` steps are logged."""
    process = process_context().Process(target=train, args=(stage, recipe, setup.examples, out))
    process.start()
    while len(lines(out)) < step:
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
