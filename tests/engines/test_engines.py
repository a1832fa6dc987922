"""Both engines: the same prompts and answers for any batch size and order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from transformers import AutoTokenizer

from tests.engine_case import PROTOCOL, RunSetup, make_frames, sample
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engines")]
RULE = GenerationRule(max_new_tokens=12)


def answers(engine: Engine, requests: Iterable[Request]) -> dict[str, Completion]:
    return {completion.sample_id: completion for completion in engine.generate(requests)}


@pytest.fixture(scope="session")
def expected(setup: RunSetup, hf_engine: Engine) -> dict[str, Completion]:
    return answers(hf_engine, setup.requests)


def test_answers_differ_between_samples(expected: dict[str, Completion]) -> None:
    assert len({completion.text for completion in expected.values()}) > len(expected) // 2


def test_vllm_gets_the_same_prompt_and_gives_the_same_answer(
    setup: RunSetup, vllm_engine: Engine, expected: dict[str, Completion]
) -> None:
    assert answers(vllm_engine, setup.requests) == expected


def test_vllm_answers_do_not_depend_on_order_or_company(
    setup: RunSetup, vllm_engine: Engine, expected: dict[str, Completion]
) -> None:
    assert answers(vllm_engine, setup.requests[::-1]) == expected
    for request in setup.requests[:3]:
        assert answers(vllm_engine, [request]) == {request.sample_id: expected[request.sample_id]}


def test_transformers_answers_do_not_depend_on_batch_or_order(
    setup: RunSetup, expected: dict[str, Completion]
) -> None:
    one = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=1))
    assert answers(one, setup.requests) == expected
    five = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=5))
    mixed = [*setup.requests[::2], *setup.requests[1::2]]
    assert answers(five, mixed) == expected


def test_a_batch_too_large_for_the_memory_is_answered_in_halves(
    setup: RunSetup, expected: dict[str, Completion], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=1))
    generate = engine._model.generate
    rows: list[int] = []

    def limited(**inputs: Any) -> Any:
        rows.append(len(inputs["input_ids"]))
        if rows[-1] > 2:
            raise torch.OutOfMemoryError("out of memory")
        return generate(**inputs)

    monkeypatch.setattr(engine._model, "generate", limited)
    assert answers(engine, setup.requests) == expected
    assert rows[0] == 4
    assert max(rows[1:]) <= 2  # later batches are smaller


@pytest.mark.parametrize("name", ["hf_engine", "vllm_engine"])
def test_a_request_that_fails_does_not_cost_the_others(
    name: str, setup: RunSetup, request: pytest.FixtureRequest, expected: dict[str, Completion]
) -> None:
    engine: Engine = request.getfixturevalue(name)
    first, second = setup.requests[:2]
    assert second.frames is not None
    cut = replace(second.frames, array=second.frames.array[:, :50, :50], digest="cut")
    completions = answers(engine, [first, replace(second, sample_id="broken", frames=cut), second])
    assert completions.pop("broken").finish is Finish.ERROR
    assert completions == {r.sample_id: expected[r.sample_id] for r in (first, second)}


@pytest.mark.parametrize("name", ["hf_engine", "vllm_engine"])
def test_a_prompt_that_is_too_long_costs_its_own_sample(
    name: str, setup: RunSetup, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(name)
    first = setup.requests[0]
    long = replace(first, sample_id="long", prompt=first.prompt + "word " * 3000)
    completions = answers(engine, [long, first])
    assert completions["long"].finish is Finish.ERROR
    assert "2048" in (completions["long"].error or "").replace(",", "")
    assert completions[first.sample_id].finish != Finish.ERROR


def test_a_prompt_that_vllm_finds_too_long_with_its_video_costs_its_own_sample(
    setup: RunSetup, vllm_engine: Engine, expected: dict[str, Completion]
) -> None:
    first = setup.requests[0]
    assert first.frames is not None
    fresh = replace(first, frames=replace(first.frames, digest="not sent before"))
    tokenizer = AutoTokenizer.from_pretrained(setup.folder)
    long = replace(fresh, sample_id="long")
    while len(tokenizer(long.prompt)["input_ids"]) < 2030:
        long = replace(long, prompt=f"{long.prompt} it")
    completions = answers(vllm_engine, [long, fresh])
    assert completions["long"].finish is Finish.ERROR
    assert "longer than the maximum model length" in (completions["long"].error or "")
    assert completions[first.sample_id] == expected[first.sample_id]


@pytest.mark.parametrize("name", ["hf_engine", "vllm_engine"])
def test_requests_are_taken_only_when_the_engine_has_room(
    name: str, setup: RunSetup, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(name)
    taken = 0

    def endless() -> Iterator[Request]:
        nonlocal taken
        while True:
            taken += 1
            yield replace(setup.requests[0], sample_id=str(taken))

    stream = engine.generate(endless())
    done = [next(stream).sample_id for _ in range(3)]
    assert len(set(done)) == 3
    assert taken <= 4 * (4 + 1) + 4 * 4 + 3 + 1  # vLLM's: those in its process, and those prepared
    stream.close()  # type: ignore[attr-defined]
    # the next stream does not return requests of the closed one
    assert list(answers(engine, setup.requests[:1])) == [setup.requests[0].sample_id]


@pytest.mark.parametrize("name", ["hf_engine", "vllm_engine"])
def test_same_video_at_other_times_is_another_video(
    name: str, setup: RunSetup, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(name)
    first = setup.requests[0]
    assert first.frames is not None
    slow = replace(first.frames, times=first.frames.times * 3)
    other = setup.adapter.request(sample("x", "it stops"), slow, PROTOCOL)
    plain = setup.adapter.request(sample("x", "it stops"), first.frames, PROTOCOL)
    completions = [next(iter(engine.generate([r]))) for r in (plain, other, plain)]
    assert completions[0] == completions[2]
    assert (completions[0].prompt_token_ids, completions[0].text) != (
        completions[1].prompt_token_ids,
        completions[1].text,
    )


def test_engines_tell_how_much_of_a_prompt_was_computed_before(
    setup: RunSetup, hf_engine: Engine, vllm_engine: Engine
) -> None:
    times = [n / 2 for n in range(24)]  # vLLM shares whole blocks, of 128 tokens on a CPU
    frames = make_frames(setup.adapter, times, seed=99)
    asked = [
        setup.adapter.request(sample(query, query), frames, PROTOCOL)
        for query in ("it stops", "it turns", "it falls")
    ]
    together = list(hf_engine.generate(asked))
    in_turn = [next(iter(vllm_engine.generate([request]))) for request in asked]
    for first, *others in (together, in_turn):
        assert first.cached_tokens == 0
        assert all(0 < (c.cached_tokens or 0) < c.prompt_tokens for c in others)


@pytest.mark.parametrize("name", ["hf_engine", "vllm_engine"])
def test_describe_names_versions_and_settings(
    name: str, setup: RunSetup, request: pytest.FixtureRequest
) -> None:
    description = request.getfixturevalue(name).describe()
    assert description["dtype"] == "float32"
    assert {"engine", "transformers", "torch", "device", "seed", "generation"} <= set(description)


def test_a_checkpoint_without_weights_is_refused(setup: RunSetup, tmp_path: Path) -> None:
    for file in setup.folder.iterdir():
        if file.suffix != ".safetensors":
            os.link(file, tmp_path / file.name)
    with pytest.raises(UserError, match="has no weights") as caught:
        TransformersEngine(tmp_path, RULE, EngineOptions())
    assert "\n" not in str(caught.value)


def test_unknown_dtype_is_refused(setup: RunSetup) -> None:
    with pytest.raises(UserError, match="float9"):
        TransformersEngine(setup.folder, RULE, EngineOptions(dtype="float9"))


def test_the_checkpoints_own_sampling_repeats_for_a_seed(setup: RunSetup) -> None:
    rule = GenerationRule(max_new_tokens=12, decoding="checkpoint")
    alone = TransformersEngine(setup.folder, rule, EngineOptions(batch_size=1))
    batch = TransformersEngine(setup.folder, rule, EngineOptions(batch_size=8))
    other = TransformersEngine(setup.folder, rule, EngineOptions(seed=1))
    completions = answers(alone, setup.requests[:6])
    assert answers(batch, setup.requests[5::-1]) == completions
    assert answers(other, setup.requests[:6]) != completions
