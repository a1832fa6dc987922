"""How long a step of RL takes with and without one shared prompt a group. By hand, on one core:

OMP_NUM_THREADS=1 python tests/bench/bench_shared_prompt.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from vtg_eval.training.data.contexts import SampleContexts
from vtg_eval.training.data.sample import load_samples
from vtg_eval.training.data.task_data import with_task_data
from vtg_eval.training.recipe import load_recipe
from vtg_eval.training.shipped import find_recipe
from vtg_eval.training.trainers.batches import Example
from vtg_eval.training.trainers.rl import run_rl

from vtg_eval.registry import Registry

RUNS, STEPS = 3, 4


def main() -> None:
    torch.set_num_threads(1)
    registry = Registry.discover()
    smoke = with_task_data(load_recipe(find_recipe("nano-smoke")), registry, videos=True)
    assert smoke.rl is not None
    rule = replace(smoke.rl, steps=STEPS, prompts=4, group=8, device_batch=16, save_steps=STEPS)
    model = replace(smoke.model, recompute=False)
    samples = load_samples(map(Path, smoke.data.train))
    contexts = SampleContexts(smoke.model, None, registry)
    folder = Path(smoke.data.videos)
    examples = [Example(s.to_sample(), folder / s.video, contexts.of(s)) for s in samples]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for run in range(-1, RUNS):  # the first decodes the videos and is not measured
        for shared in seconds:
            recipe = replace(smoke, model=model, rl=replace(rule, share_prompt=shared))
            with tempfile.TemporaryDirectory() as out:
                start = time.perf_counter()
                run_rl(recipe, examples, Path(out) / "rl")
                if run >= 0:
                    seconds[shared].append(time.perf_counter() - start)
    separate, together = (statistics.median(seconds[shared]) for shared in (False, True))
    print(f"{STEPS} steps of 4 prompts and 8 answers each, nano, medians of {RUNS}, one thread")
    print(f"separate {separate:.1f} s, shared {together:.1f} s, {separate / together:.1f} times")


if __name__ == "__main__":
    main()
