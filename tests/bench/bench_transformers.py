"""The transformers engine against one query at a time through the model's plain `generate`.

Tiny checkpoints, 1,024 visual tokens a video, answers of 24 tokens. Both ways get the same prompts
and must give the same answers. They take turns in one process; the times are those of the CPU.
By hand, on one core:

OMP_NUM_THREADS=1 python -m tests.bench.bench_transformers [FAMILY ...] [--batch-size N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.engine_case import make_adapter, make_frames, sample
from tests.tiny_families import tiny_families
from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.engines.loading import load_model, load_processor
from vtg_eval.engines.model_inputs import InputBuilder, accepted, collate
from vtg_eval.engines.rope_positions import patch_rope_positions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.protocol import FrameRule, GenerationRule, PromptRule, ResolvedProtocol

RUNS = 3
REQUESTS = 30
TOKENS = 24
FAMILIES = ("qwen2_5_vl", "qwen3_vl")
QUERIES = (
    "a person opens the door",
    "the man puts a book on the shelf, then leaves the room",
    "she is laughing at the television",
    "a dog runs across the garden",
    "someone washes dishes in the kitchen sink while talking",
)
PROTOCOL = ResolvedProtocol(
    name="bench@1",
    summary="",
    source="",
    frames=FrameRule(min_tokens=64, max_tokens=64),
    prompt=PromptRule(text="When does this happen in the video: {query}"),
)
TIMES = np.arange(32) / 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--batch-size", type=int, default=EngineOptions().batch_size)
    args = parser.parse_args()
    print(f"{REQUESTS} requests, medians of {RUNS}, {torch.get_num_threads()} threads")
    print("family | queries a video | one at a time, ms a query | engine | ratio")
    for family in args.families:
        with tempfile.TemporaryDirectory() as folder:
            tiny_families()[family].build(Path(folder))
            for queries in (1, 3, 15):
                compare(family, Path(folder), queries, args.batch_size)


def compare(family: str, folder: Path, queries: int, batch_size: int) -> None:
    """Print a line of the table."""
    asked = requests(folder, queries)
    plain = PlainGenerate(folder)
    options = EngineOptions(batch_size=batch_size)
    engine = TransformersEngine(folder, GenerationRule(max_new_tokens=TOKENS), options)
    one_by_one, together = [], []
    for run in range(-1, RUNS):  # the first warms up
        start = time.process_time()
        expected = [plain.answer(request) for request in asked]
        middle = time.process_time()
        answers = [completion.text for completion in engine.generate(asked)]
        end = time.process_time()
        assert answers == expected
        if run >= 0:
            one_by_one.append(middle - start)
            together.append(end - middle)
    engine.close()
    ratio = statistics.median(a / b for a, b in zip(one_by_one, together, strict=True))
    slow, fast = (1000 * statistics.median(t) / len(asked) for t in (one_by_one, together))
    print(f"{family} | {queries} | {slow:.1f} | {fast:.1f} | {ratio:.2f}", flush=True)


def requests(folder: Path, queries: int) -> list[Request]:
    """Return requests with so many queries on each video."""
    adapter = make_adapter(folder)
    videos = [make_frames(adapter, TIMES, seed) for seed in range(REQUESTS // queries)]
    return [
        adapter.request(sample(f"{v}/{q}", f"{QUERIES[q % 5]} ({q})"), frames, PROTOCOL)
        for v, frames in enumerate(videos)
        for q in range(queries)
    ]


class PlainGenerate:
    """The processor and `generate` for each request anew."""

    def __init__(self, folder: Path) -> None:
        self._model: Any = load_model(folder, torch.float32).eval()
        patch_rope_positions(self._model)
        self._processor = load_processor(folder)

    def answer(self, request: Request) -> str:
        """Return the answer's text."""
        item = InputBuilder(self._processor).build(request)
        inputs = accepted(collate([item], 0), self._model)
        with torch.inference_mode():
            row = self._model.generate(
                **inputs, max_new_tokens=TOKENS, do_sample=False, repetition_penalty=1.0
            )
        answer: str = self._processor.tokenizer.decode(
            row[0, len(item.ids) :], skip_special_tokens=True
        )
        return answer


if __name__ == "__main__":
    main()
