"""How many requests a second one process can give to vLLM.

python tests/bench/bench_feed.py [--videos 24] [--repeats 3]

From frames on disk through adapter, processor and vLLM's input processing to the bytes for the
engine's process, which are thrown away: no model runs. A tiny Qwen2.5-VL with videos of a real
size, three queries on each. CPU: seconds of all threads for a request.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from tabulate import tabulate
from vllm.v1.serial_utils import MsgpackEncoder

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engine_case import make_adapter
from tests.tiny_families import qwen2_5_vl
from tests.video_files import X264, write_clock
from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.failures import Finish
from vtg_eval.protocol import FrameRule, GenerationRule, PromptRule, ResolvedProtocol
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.types import Sample, Target
from vtg_eval.video.pyav import PyavDecoder

QUERIES = 3
SECONDS = 30
VISUAL_TOKENS = (4_100, 9_500)  # the rule's; the frames have 3,550 and 8,900 or so
WORKERS = (1, 2, 4)


@dataclass
class Discarding:
    """vLLM's engine as `VllmEngine` uses it: it prepares and encodes requests, and runs none."""

    engine: Any
    encoder: Any = field(default_factory=MsgpackEncoder)
    added: list[Any] = field(default_factory=list)
    tokens: int = 0
    sent: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def add_request(self, identity: str, prompt: Any, sampling: Any, lora_request: Any) -> None:
        request = self.engine.input_processor.process_inputs(
            identity, prompt, sampling, ("generate",), lora_request=lora_request
        )
        self.sent += sum(memoryview(part).nbytes for part in self.encoder.encode(request))
        self.tokens = len(request.prompt_token_ids)
        self.added.append((identity, request.prompt_token_ids))

    def step(self) -> list[Any]:
        done, self.added = self.added, []
        answer = SimpleNamespace(finish_reason="stop", token_ids=[], logprobs=[])
        return [
            SimpleNamespace(
                request_id=identity,
                prompt_token_ids=ids,
                finished=True,
                num_cached_tokens=1,
                outputs=[answer],
            )
            for identity, ids in done
        ]


def make_jobs(folder: Path, count: int) -> list[VideoJob]:
    """Write videos of 30 s, and return the queries on them."""
    jobs = []
    for number in range(count):
        path = folder / f"v{number}.mp4"
        write_clock(path, SECONDS * 4 + number, 4, height=360, width=640, options=X264)
        samples = tuple(
            Sample(f"{number}/{q}", path.name, f"query {q}", Target()) for q in range(QUERIES)
        )
        jobs.append(VideoJob(path.name, path, samples))
    return jobs


def renamed(request: Request, run: int) -> Request:
    """Return a request on a video that the caches of earlier runs do not have."""
    assert request.frames is not None
    return replace(request, frames=replace(request.frames, digest=f"{request.frames.digest} {run}"))


def feed(
    engine: VllmEngine,
    builder: RequestBuilder,
    jobs: Sequence[VideoJob],
    rule: ResolvedProtocol,
    run: int,
) -> int:
    """Return how many requests were given to the engine."""
    context = SampleContext(rule, no_subtitles)
    stream = builder.stream(jobs, lambda sample: context)
    requests = (renamed(request, run) for request in stream)
    finishes = [stream.answer(completion).finish for completion in engine.generate(requests)]
    stream.close()
    assert set(finishes) == {Finish.STOP}
    return len(finishes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = qwen2_5_vl.build(folder / "model")
        config = checkpoint / "config.json"
        settings = json.loads(config.read_text())
        settings["text_config"]["max_position_embeddings"] = 32_768
        config.write_text(json.dumps(settings))
        jobs = make_jobs(folder, args.videos)
        builder = RequestBuilder(make_adapter(checkpoint), PyavDecoder(), folder / "frames")
        engine = VllmEngine(checkpoint, GenerationRule(), EngineOptions())
        all_workers = list(getattr(engine, "_workers", [0]))
        discarding = Discarding(engine._llm.llm_engine)
        engine._llm.llm_engine = discarding
        runs = count()
        for tokens in VISUAL_TOKENS:
            frames = FrameRule(policy="fps", fps=2.0, total_tokens=tokens, max_tokens=768)
            rule = ResolvedProtocol("feed@1", "", "", frames, PromptRule(text="When: {query}"))
            counts = [number for number in WORKERS if number <= len(all_workers)]
            results: dict[int, list[tuple[float, float]]] = {number: [] for number in counts}
            for run in range(-1, args.repeats):  # the first decodes the videos and is not measured
                for workers in results:
                    engine._workers = all_workers[:workers]
                    wall, cpu = time.perf_counter(), time.process_time()
                    done = feed(engine, builder, jobs, rule, next(runs))
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    if run >= 0:
                        results[workers].append((done / wall, cpu / done))
            size = discarding.sent / (args.videos * len(counts) * (args.repeats + 1))
            discarding.sent = 0
            for workers, pairs in results.items():
                rate, cpu = (median(values) for values in zip(*pairs, strict=True))
                best = max(rate for rate, _ in pairs)
                rows.append([discarding.tokens, size / 1e6, workers, rate, best, cpu])
        engine._llm.llm_engine = discarding.engine
        engine.close()
    header = ["prompt tokens", "MB a video", "workers", "requests a second", "most", "CPU (s)"]
    print(tabulate(rows, header, floatfmt=("", ".1f", "", ".1f", ".1f", ".3f")))


if __name__ == "__main__":
    main()
