"""Prompts that go on from a shared prefix are answered as whole prompts, each computed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch

from tests.engine_case import EVEN, PROTOCOL, UNEVEN, RunSetup, make_adapter, make_frames, sample
from tests.tiny_families import tiny_families
from vtg_eval.engines.base import Engine, EngineOptions, Request
from vtg_eval.engines.loading import load_model, load_processor
from vtg_eval.engines.model_inputs import InputBuilder, accepted, collate
from vtg_eval.engines.prefix_cache import SharedPrefixes
from vtg_eval.engines.rope_positions import patch_rope_positions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("prefixes")]
TOKENS = 12
RULE = GenerationRule(max_new_tokens=TOKENS)
FAMILIES = {name: one for name, one in tiny_families().items() if not one.no_transformers}
# with sliding windows or linear attention
COMPUTED_WHOLE = {
    "gemma4",
    "gemma4_unified",
    "minicpmv4_6",
    "minicpmv4_7",
    "qwen3_5",
    "qwen3_5_moe",
}
QUERIES = (
    "the red square moves",
    "A man opens the door, then\nleaves.",
    "été — 夏",
    "the red square moves and then the blue one follows it out of the picture",
)
Answer = tuple[str, int, tuple[int, ...]]


class PlainGenerate:
    """Answers each request by itself, from its whole prompt."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = load_model(folder, torch.float32).eval()
        patch_rope_positions(self.model)
        self._processor = load_processor(folder)
        self._builder = InputBuilder(self._processor)
        eos = self.model.generation_config.eos_token_id
        self._stops = set(eos if isinstance(eos, list) else [eos])

    def logits(self, requests: Sequence[Request], shared: bool) -> torch.Tensor:
        """Return the logits of the first token of each answer, [B, vocabulary]."""
        items = [self._builder.build(request) for request in requests]
        prefixes = SharedPrefixes(self.model, 0, "cpu", videos=len(items), rows=len(items))
        batches = (
            [prefixes.batch(items).arguments]
            if shared
            else [accepted(collate([item], 0), self.model) for item in items]
        )
        with torch.inference_mode():
            outputs = [
                self.model.generate(
                    **batch,
                    max_new_tokens=1,
                    do_sample=False,
                    return_dict_in_generate=True,
                    output_logits=True,
                )
                for batch in batches
            ]
        return torch.cat([output.logits[0] for output in outputs])

    def answers(self, requests: Sequence[Request]) -> dict[str, Answer]:
        return {request.sample_id: self._answer(request) for request in requests}

    def _answer(self, request: Request) -> Answer:
        item = self._builder.build(request)
        with torch.inference_mode():
            rows = self.model.generate(
                **accepted(collate([item], 0), self.model),
                max_new_tokens=TOKENS,
                do_sample=False,
                repetition_penalty=1.0,
            )
        row = rows[0, len(item.ids) :].tolist()
        text = [token for token in row if token not in self._stops]
        return (
            self._processor.tokenizer.decode(text, skip_special_tokens=True),
            len(row),
            tuple(item.ids),
        )


def answers(engine: Engine, requests: Sequence[Request]) -> dict[str, Answer]:
    return {
        one.sample_id: (one.text, one.completion_tokens, one.prompt_token_ids)
        for one in engine.generate(requests)
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_those_of_whole_prompts_computed_alone(name: str, tmp_path: Path) -> None:
    folder = FAMILIES[name].build(tmp_path)
    adapter = make_adapter(folder)
    videos = [make_frames(adapter, times, seed) for seed, times in enumerate((EVEN, UNEVEN))]
    requests = [
        adapter.request(sample(f"{v}/{q}", query), frames, PROTOCOL)
        for v, frames in enumerate(videos)
        for q, query in enumerate(QUERIES)
    ]
    plain = PlainGenerate(folder)
    expected = plain.answers(requests)
    assert SharedPrefixes.suits(plain.model) == (name not in COMPUTED_WHOLE)
    if name not in COMPUTED_WHOLE:  # sees more than the answers do, such as shifted positions
        torch.testing.assert_close(
            plain.logits(requests, shared=True), plain.logits(requests, shared=False)
        )
    for size in (3,) if name in COMPUTED_WHOLE else (1, 3):
        engine = TransformersEngine(folder, RULE, EngineOptions(batch_size=size))
        assert answers(engine, requests) == expected
        engine.close()


@pytest.fixture(scope="module")
def engine(setup: RunSetup) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=1))
    yield engine
    engine.close()


@pytest.fixture
def seen(engine: TransformersEngine) -> Iterator[list[int]]:
    """The patches of each pass of the vision model."""
    patches: list[int] = []
    hook = engine._model.model.visual.register_forward_pre_hook(
        lambda module, inputs: patches.append(len(inputs[0]))
    )
    yield patches
    hook.remove()


def test_a_video_is_computed_once_for_all_its_batches(
    setup: RunSetup, engine: TransformersEngine, seen: list[int]
) -> None:
    again = [replace(request, sample_id=f"{request.sample_id}+") for request in setup.requests[:4]]
    answers(engine, [*setup.requests[:4], *again, *setup.requests[4:]])
    assert len(seen) == 3


def test_a_prefix_is_freed_when_the_requests_end(
    setup: RunSetup, engine: TransformersEngine, seen: list[int]
) -> None:
    for _ in range(2):
        next(iter(engine.generate(setup.requests[:1])))
    stream = engine.generate(setup.requests)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    answers(engine, setup.requests[:1])
    assert len(seen) == 4


def test_a_query_before_the_video_is_not_part_of_a_prefix(
    setup: RunSetup, engine: TransformersEngine, seen: list[int]
) -> None:
    layout = replace(PROTOCOL, prompt=replace(PROTOCOL.prompt, layout="text-first"))
    frames = setup.requests[0].frames
    requests = [
        setup.adapter.request(sample(query, query), frames, layout) for query in QUERIES[:2]
    ]
    assert answers(engine, requests) == PlainGenerate(setup.folder).answers(requests)
    assert len(seen) == 2


def test_prompts_without_a_video_join_the_batch(setup: RunSetup) -> None:
    blind = [
        replace(request, sample_id=f"blind {request.sample_id}", frames=None, prompt="When? ")
        for request in setup.requests[:2]
    ]
    requests = [*setup.requests[:2], *blind, *setup.requests[2:]]
    engine = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=8))
    assert answers(engine, requests) == PlainGenerate(setup.folder).answers(requests)
    engine.close()


def test_a_video_too_large_for_the_memory_costs_its_own_requests(
    setup: RunSetup, engine: TransformersEngine
) -> None:
    first = engine._builder.build(setup.requests[0]).tensors["pixel_values_videos"]

    def limited(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) >= len(first):
            raise torch.OutOfMemoryError("out of memory")

    hook = engine._model.model.visual.register_forward_pre_hook(limited)
    finished = {one.sample_id: one.finish for one in engine.generate(setup.requests)}
    hook.remove()
    assert {key for key, finish in finished.items() if finish is Finish.ERROR} == {
        f"{video}/{query}" for video in (0, 1) for query in range(4)
    }
