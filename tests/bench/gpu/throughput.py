"""Answers a data root's samples with vLLM: through the harness, and by `LLM.generate` alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vllm import LLM, SamplingParams

from tests.bench.gpu.busy import BusyShare
from tests.bench.gpu.videos import TASK
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.inference import run_inference
from vtg_eval.run.journal import Journal, read_journal
from vtg_eval.run.plan import VideoJob, make_plan
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.run.setup import Model, RunOptions, RunSetup, make_setup
from vtg_eval.video.frames import Frames

RULE = GenerationRule(max_new_tokens=32)
WARM_UP = 3  # videos


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one run did. seconds: to the last answer; busy: the GPU's share of them, if any."""

    requests: int
    failed: int
    prompt_tokens: int
    seconds: float
    busy: float | None

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class BenchEngine(VllmEngine):
    """The harness's engine, whose caches can be emptied between two runs."""

    @property
    def llm(self) -> LLM:
        """VLLM itself."""
        return self._llm

    def forget(self) -> None:
        """Empty all caches of prompts and videos."""
        self.llm.reset_prefix_cache()
        self.llm.reset_mm_cache()
        self.llm.llm_engine.reset_encoder_cache()


class Bench:
    """One checkpoint with its engine running; must be closed."""

    def __init__(self, checkpoint: Path, work: Path) -> None:
        """work: a folder for journals and decoded frames."""
        self._registry = Registry.discover()
        resolved, entry = resolve(str(checkpoint), self._registry)
        adapter = self._registry.adapter(entry.name)(resolved)
        # the digest, which no run here needs, would read all weights
        self._model = Model(resolved, entry.name, adapter, "vllm", digest="")
        self._work = work
        self._engine = BenchEngine(checkpoint, RULE, EngineOptions())

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()

    def harness(self, root: Path, frames: Path, until: float) -> Throughput:
        """Answer as `vtg-eval run` does, from video files to the journal.

        frames: the folder of decoded frames. until: no video is begun after this `time.monotonic`.
        """
        setup, jobs = self._plan(root)
        return self._answer(setup, (job for job in jobs if time.monotonic() < until), frames)

    def warm_up(self, root: Path, frames: Path) -> None:
        """Answer some requests in both ways: kernels are compiled where they are first needed."""
        setup, jobs = self._plan(root)
        done = self._answer(setup, jobs[:WARM_UP], frames)
        self.generate(root, frames, done.requests)

    def generate(self, root: Path, frames: Path, requests: int) -> Throughput:
        """Answer the first requests by one call of `LLM.generate`, with all frames in memory."""
        setup, jobs = self._plan(root)
        with closing(self._stream(setup, jobs, frames)) as stream:
            prompts = [_prompt(request) for request in islice(stream, requests)]
        sampling = SamplingParams(temperature=0, max_tokens=RULE.max_new_tokens)
        self._engine.forget()
        start = time.perf_counter()
        with BusyShare() as busy:
            outputs = self._engine.llm.generate(prompts, sampling, use_tqdm=False)
        seconds = time.perf_counter() - start
        tokens = sum(len(output.prompt_token_ids) for output in outputs)
        return Throughput(len(outputs), 0, tokens, seconds, busy.share)

    def frames(self, root: Path, frames: Path) -> dict[Path, Frames]:
        """Return the frames of each video, decoded into the folder `frames`."""
        setup, jobs = self._plan(root)
        builder, rule = self._builder(frames), setup.spec.protocol.frames
        return {job.path: builder.frames(job.path, job.clips, rule, job.duration) for job in jobs}

    def _answer(self, setup: RunSetup, jobs: Iterable[VideoJob], frames: Path) -> Throughput:
        journal_file = self._work / "journal.jsonl"
        journal_file.unlink(missing_ok=True)
        self._engine.forget()
        start = time.perf_counter()
        with (
            BusyShare() as busy,
            closing(self._stream(setup, jobs, frames)) as stream,
            Journal(journal_file) as journal,
        ):
            run_inference(stream, lambda: self._engine, journal.append, self._work)
        seconds = time.perf_counter() - start
        records = read_journal(journal_file).values()
        return Throughput(
            requests=len(records),
            failed=sum(not record.answered for record in records),
            prompt_tokens=sum(record.prompt_tokens for record in records),
            seconds=seconds,
            busy=busy.share,
        )

    def _plan(self, root: Path) -> tuple[RunSetup, tuple[VideoJob, ...]]:
        options = RunOptions(model=self._model.checkpoint.reference, data_root=root)
        setup = make_setup(options, self._model, TASK, self._registry)
        return setup, make_plan(setup.task, setup.root, setup.samples).jobs

    def _stream(self, setup: RunSetup, jobs: Iterable[VideoJob], frames: Path) -> RequestStream:
        self._model.adapter.begin(setup.samples)
        context = SampleContext(setup.spec.protocol, no_subtitles)
        return self._builder(frames).stream(jobs, lambda sample: context)

    def _builder(self, frames: Path) -> RequestBuilder:
        decoder = self._registry.decoder("pyav")()
        return RequestBuilder(self._model.adapter, decoder, frames)


def _prompt(request: Request) -> dict[str, Any]:
    """Return a request as anybody would give it to vLLM."""
    assert request.frames is not None
    return {
        "prompt": request.prompt,
        "multi_modal_data": {"video": [(request.frames.array, dict(request.metadata))]},
        "mm_processor_kwargs": dict(request.processor_kwargs),
        "multi_modal_uuids": {"video": [request.frames.digest]},
    }
