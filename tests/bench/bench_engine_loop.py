"""How much longer the vLLM engine takes than `LLM.generate` for the same requests.

python tests/bench/bench_engine_loop.py [--requests 96] [--repeats 5]

A tiny Qwen2.5-VL; three queries on each video; the requests are ready. With
VLLM_ENABLE_V1_MULTIPROCESSING=1 vLLM has a process of its own, as on every GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import vllm
from tabulate import tabulate
from vllm.sampling_params import RequestOutputKind

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engine_case import EVEN, PROTOCOL, make_adapter, make_frames, sample
from tests.tiny_families import qwen2_5_vl
from vtg_eval.adapter import Adapter
from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.engines.vllm_inputs import prompt_of
from vtg_eval.protocol import GenerationRule

BATCHES = (8, 32)
QUERIES = 3
RULE = GenerationRule(max_new_tokens=32)


def make_requests(adapter: Adapter, count: int, run: str) -> list[Request]:
    """Return requests; run: makes the videos others than those of any other run."""
    requests = []
    for number in range(count):
        video = number // QUERIES
        frames = make_frames(adapter, EVEN, video)
        frames = replace(frames, digest=f"{frames.digest}-{run}")
        query = sample(f"{run}/{number}", f"query {number % QUERIES}: the red square moves")
        requests.append(adapter.request(query, frames, PROTOCOL))
    return requests


def by_engine(engine: VllmEngine, requests: Sequence[Request]) -> list[tuple[int, ...]]:
    """Return the token ids of the prompts."""
    completions = {c.sample_id: c for c in engine.generate(requests)}
    return [completions[request.sample_id].prompt_token_ids for request in requests]


def by_llm(engine: VllmEngine, requests: Sequence[Request]) -> list[tuple[int, ...]]:
    sampling = vllm.SamplingParams(
        max_tokens=RULE.max_new_tokens,
        stop_token_ids=engine._stops,
        output_kind=RequestOutputKind.FINAL_ONLY,
        detokenize=False,
        logprobs=0,
        temperature=0.0,
    )
    prompts: list[Any] = [prompt_of(request) for request in requests]
    outputs = engine._llm.generate(prompts, sampling, use_tqdm=False)
    return [tuple(output.prompt_token_ids) for output in outputs]


Way = Callable[[VllmEngine, Sequence[Request]], list[tuple[int, ...]]]


def seconds(way: Way, engine: VllmEngine, requests: Sequence[Request]) -> tuple[float, float]:
    """Return the seconds of wall time, and of this process's processors."""
    start, processor = time.perf_counter(), time.process_time()
    prompts = way(engine, requests)
    took = time.perf_counter() - start, time.process_time() - processor
    assert len(prompts) == len(requests)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = qwen2_5_vl.build(Path(folder))
        adapter = make_adapter(checkpoint)
        for batch in args.batches:
            engine = VllmEngine(checkpoint, RULE, EngineOptions(batch_size=batch))
            times: dict[str, list[tuple[float, float]]] = {"engine": [], "LLM.generate": []}
            ways: dict[str, Way] = {"engine": by_engine, "LLM.generate": by_llm}
            for run in range(-1, args.repeats):  # the first run is not measured
                for name, way in ways.items():
                    requests = make_requests(adapter, args.requests, f"{batch}-{run}-{name}")
                    took = seconds(way, engine, requests)
                    if run >= 0:
                        times[name].append(took)
            engine.close()
            pairs = list(zip(*times.values(), strict=True))
            ratios, of_processor = ([a[k] / b[k] for a, b in pairs] for k in (0, 1))
            walls = [median(wall for wall, _ in taken) for taken in times.values()]
            rows.append([batch, *walls, median(ratios), min(ratios), median(of_processor)])
    header = ["batch", "engine (s)", "LLM.generate (s)", "ratio", "lowest", "processor"]
    print(tabulate(rows, header, floatfmt=".3f"))


if __name__ == "__main__":
    main()
