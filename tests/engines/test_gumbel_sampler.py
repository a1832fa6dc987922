"""Sampling at a temperature: the right probabilities, the same answers in any batch."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch

from tests.engine_case import RunSetup
from vtg_eval.engines.base import Engine, EngineOptions, Request
from vtg_eval.engines.gumbel_sampler import GumbelSampler
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engines")]
SAMPLED = GenerationRule(max_new_tokens=12, decoding="sample")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_sampled_from_the_softmax(temperature: float) -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    rows = 20_000
    sampler = GumbelSampler(range(rows), temperature)
    chosen = sampler(torch.zeros(rows, 1), logits.repeat(rows, 1)).argmax(dim=1)
    frequencies = torch.bincount(chosen, minlength=4) / rows
    probabilities = torch.softmax(logits / temperature, dim=0)
    assert torch.allclose(
        frequencies, probabilities, atol=4 * 0.5 / rows**0.5
    )  # four standard errors


def test_a_row_depends_on_its_own_seed_only() -> None:
    logits = torch.zeros(3, 50)
    together, alone = GumbelSampler([7, 8, 9], 1.0), GumbelSampler([8], 1.0)
    for _ in range(3):
        assert torch.equal(together(logits, logits)[1], alone(logits[:1], logits[:1])[0])


def texts(engine: Engine, requests: list[Request]) -> dict[str, str]:
    return {completion.sample_id: completion.text for completion in engine.generate(requests)}


def test_sampled_answers_repeat_for_a_seed_in_any_batch_and_order(setup: RunSetup) -> None:
    requests = list(setup.requests[:6])
    alone = TransformersEngine(setup.folder, SAMPLED, EngineOptions(batch_size=1))
    batch = TransformersEngine(setup.folder, SAMPLED, EngineOptions(batch_size=4))
    other = TransformersEngine(setup.folder, SAMPLED, EngineOptions(batch_size=4, seed=1))
    expected = texts(alone, requests)
    assert texts(batch, requests[::-1]) == expected
    assert texts(other, requests) != expected
    generation = batch.describe()["generation"]
    assert (generation["decoding"], generation["temperature"]) == ("sample", 1.0)


def test_a_temperature_near_zero_is_greedy(setup: RunSetup, hf_engine: Engine) -> None:
    cold = GenerationRule(max_new_tokens=12, decoding="sample", temperature=1e-6)
    engine = TransformersEngine(setup.folder, cold, EngineOptions(batch_size=4))
    requests = list(setup.requests[:6])
    assert texts(engine, requests) == texts(hf_engine, requests)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_invalid_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(UserError, match=r"generation\.temperature"):
        GenerationRule(decoding="sample", temperature=temperature)
