"""Every family on both engines: the same prompts and answers, whatever way of telling times."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from transformers import AutoTokenizer

from tests.engine_case import EVEN, PROTOCOL, UNEVEN, make_adapter, make_frames, sample
from tests.tiny_families import tiny_families
from vtg_eval.adapter import TimeText
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("families")]
RULE = GenerationRule(max_new_tokens=8)
QUERIES = ("the red square moves", "A man opens the door, then\nleaves.", "été — 夏")
FAMILIES = tiny_families()


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[name].build(tmp_path_factory.mktemp(name))


def requests(folder: Path, time_text: TimeText | None = None) -> list[Request]:
    """Return three queries on each of two videos."""
    adapter = make_adapter(folder, time_text)
    videos = [make_frames(adapter, times, seed) for seed, times in enumerate((EVEN, UNEVEN))]
    return [
        adapter.request(sample(f"{v}/{q}", query), frames, PROTOCOL)
        for v, frames in enumerate(videos)
        for q, query in enumerate(QUERIES)
    ]


def answers(engine: Engine, asked: list[Request]) -> dict[str, Completion]:
    return {completion.sample_id: completion for completion in engine.generate(asked)}


def start(engine: str, folder: Path, images: int = 0) -> Engine:
    options = EngineOptions(batch_size=4, images=images)
    if engine == "vllm":
        from vtg_eval.engines.vllm import VllmEngine

        return VllmEngine(folder, RULE, options)
    from vtg_eval.engines.transformers import TransformersEngine

    return TransformersEngine(folder, RULE, options)


def vllm_answers(name: str, folder: Path) -> dict[str, Completion]:
    """Return vLLM's answers, from a process of its own where the family needs it."""
    if FAMILIES[name].vllm_alone:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(answers_of_vllm, folder).result()
    return answers_of_vllm(folder)


def answers_of_vllm(folder: Path) -> dict[str, Completion]:
    engine = start("vllm", folder)
    completions = answers(engine, requests(folder))
    engine.close()
    return completions


def with_vllm_tokens(completion: Completion, name: str, folder: Path) -> Completion:
    """Return a completion of transformers with the frames' token that vLLM's prompts have."""
    tokens = FAMILIES[name].frame_tokens
    if tokens is None:
        return completion
    old, new = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(list(tokens))
    ids = tuple(new if number == old else number for number in completion.prompt_token_ids)
    return replace(completion, prompt_token_ids=ids)


@pytest.fixture(scope="module")
def transformers_answers(name: str, folder: Path) -> Iterator[dict[str, Completion]]:
    if FAMILIES[name].no_transformers:
        pytest.skip(FAMILIES[name].no_transformers)
    engine = start("transformers", folder)
    yield answers(engine, requests(folder))
    engine.close()


def test_transformers_answers(transformers_answers: dict[str, Completion]) -> None:
    assert all(one.finish in (Finish.STOP, Finish.LENGTH) for one in transformers_answers.values())
    assert len({one.text for one in transformers_answers.values()}) > 1


def test_vllm_gets_the_same_prompts_and_gives_the_same_answers(
    name: str, folder: Path, transformers_answers: dict[str, Completion]
) -> None:
    if FAMILIES[name].no_vllm:
        pytest.skip(FAMILIES[name].no_vllm)
    completions = vllm_answers(name, folder)
    expected = {
        key: with_vllm_tokens(one, name, folder) for key, one in transformers_answers.items()
    }
    if not FAMILIES[name].in_bfloat16:
        assert completions == expected
        return
    prompts = {key: one.prompt_token_ids for key, one in completions.items()}
    assert prompts == {key: one.prompt_token_ids for key, one in expected.items()}
    same = [key for key, one in completions.items() if one.text == expected[key].text]
    assert len(same) > len(expected) // 2


def test_transformers_answers_do_not_depend_on_the_batch(
    folder: Path, transformers_answers: dict[str, Completion]
) -> None:
    engine = start("transformers", folder)
    one_by_one = [answers(engine, [request]) for request in requests(folder)[::-1]]
    engine.close()
    assert {key: c for part in one_by_one for key, c in part.items()} == transformers_answers


@pytest.mark.parametrize("time_text", ["header", "interleaved"])
def test_times_as_text_reach_the_model(name: str, folder: Path, time_text: TimeText) -> None:
    try:
        asked = requests(folder, time_text)
    except UserError as exc:
        assert "cannot be given as images" in str(exc)
        return
    if FAMILIES[name].no_transformers:
        pytest.skip(FAMILIES[name].no_transformers)
    engine = start("transformers", folder)
    completions = answers(engine, asked)
    engine.close()
    assert all(one.finish in (Finish.STOP, Finish.LENGTH) for one in completions.values())
    assert asked[3].model_times == tuple(float(f"{time:.1f}") for time in UNEVEN)
