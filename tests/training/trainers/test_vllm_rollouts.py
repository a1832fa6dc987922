"""Rollouts by vLLM: the trainer's prompts, the trainer's weights at each step, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")
pytest.importorskip("vllm", reason="needs the extra vllm")

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from vtg_eval.training.recipe import Recipe
from vtg_eval.training.trainers import rl
from vtg_eval.training.trainers.batches import Batches, find_start_checkpoint, make_batches
from vtg_eval.training.trainers.policy import load_policy
from vtg_eval.training.trainers.vllm_rollouts import VllmRollouts, whole_weights

from tests.training_case import (
    RL,
    RunSetup,
    after_cold_start,
    figures,
    in_two_processes,
    killed_at,
    lines,
    seconds_of_parts,
    train,
    train_in_two_processes,
    with_rule,
)
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]

LARGEST = 1e-3  # difference of log-probabilities between vLLM and the trainer
RULE = replace(
    RL, steps=4, save_steps=2, learning_rate=1e-3, temperature=0.7, beta=0.0,
    rollouts="vllm-colocate",
)  # fmt: skip


class KeptOpen(VllmRollouts):
    """An engine that several trainings use; each begins as if the engine were new."""

    def close(self) -> None:
        self._step = None


@pytest.fixture(scope="module")
def cold(setup: RunSetup, tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    return after_cold_start(setup, 12, tmp_path_factory.mktemp("cold") / "out")


@pytest.fixture(scope="module")
def rollouts(cold: RunSetup) -> Iterator[KeptOpen]:
    """One engine for each family, which the trainings in this process get."""
    source = find_start_checkpoint(recipe_of(cold).model, Registry.discover())
    engine = KeptOpen(source, RULE, "float32", RULE.group * RULE.prompts, suppressed(cold))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rl, "VllmRollouts", lambda *_: engine)
        yield engine
    VllmRollouts.close(engine)


@pytest.fixture(scope="module")
def trained(cold: RunSetup, rollouts: KeptOpen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps without an interruption."""
    out = tmp_path_factory.mktemp("vllm") / "out"
    train("rl", recipe_of(cold), cold.examples, out)
    return out


def recipe_of(case: RunSetup, **model: Any) -> Recipe:
    return case.recipe(rl=RULE, **model)


def suppressed(case: RunSetup) -> list[int]:
    source = find_start_checkpoint(recipe_of(case).model, Registry.discover())
    return [source.config[name] for name in rl.SUPPRESSED]


def batches_of(case: RunSetup) -> Batches:
    registry = Registry.discover()
    return make_batches(find_start_checkpoint(recipe_of(case).model, registry), registry)[0]


def requests(case: RunSetup) -> list[Request]:
    made = map(batches_of(case).request, case.examples)
    return [replace(request, sample_id=f"{n}") for n, request in enumerate(made)]


def test_vllm_has_the_trainers_probabilities_after_each_step(trained: Path) -> None:
    """The first line is from before the first step, the others from after one step more each."""
    assert [line["step"] for line in lines(trained)] == [1, 2, 3, 4]
    for line in lines(trained):
        assert line["grad_norm"] > 0
        assert line["rollout_difference"] <= LARGEST


def test_the_seconds_of_a_step_are_those_of_its_parts(trained: Path) -> None:
    for parts in seconds_of_parts(trained):
        assert min(parts["rollouts"], parts["inputs"], parts["learning"]) > 0


def test_the_same_training_without_new_weights_differs(
    cold: RunSetup, rollouts: KeptOpen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = KeptOpen.sync
    first = iter([sync])  # once, for the start's weights
    monkeypatch.setattr(KeptOpen, "sync", lambda *args: next(first, lambda *_: None)(*args))
    train("rl", with_rule(recipe_of(cold), "rl", steps=3), cold.examples, tmp_path / "out")
    before, *after = [line["rollout_difference"] for line in lines(tmp_path / "out")]
    assert before <= LARGEST
    assert min(after) > 10 * LARGEST


def test_the_same_training_with_an_old_prefix_cache_differs(
    cold: RunSetup, rollouts: KeptOpen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts._engine._llm.llm_engine, "reset_prefix_cache", lambda: True)
    one = cold.examples[:1]  # so that prompts recur
    train("rl", with_rule(recipe_of(cold), "rl", steps=3), one, tmp_path / "out")
    assert max(line["rollout_difference"] for line in lines(tmp_path / "out")) > 10 * LARGEST


def test_merged_adapters_are_what_vllm_gets(
    cold: RunSetup, rollouts: KeptOpen, tmp_path: Path
) -> None:
    recipe = recipe_of(cold, train="lora", lora_rank=4, freeze_vision=True)
    train("rl", with_rule(recipe, "rl", steps=3), cold.examples, tmp_path / "out")
    log = lines(tmp_path / "out")
    assert len(log) == 3 and all(line["grad_norm"] > 0 for line in log)
    assert max(line["rollout_difference"] for line in log) <= LARGEST


def test_a_killed_training_resumes_to_the_same_curve(
    cold: RunSetup, trained: Path, rollouts: KeptOpen, tmp_path: Path
) -> None:
    """In processes with engines of their own; seeds and weights give the same answers."""
    out = tmp_path / "out"
    killed_at(3, "rl", recipe_of(cold), cold, out)
    train("rl", recipe_of(cold), cold.examples, out)
    assert figures(out) == figures(trained)


@pytest.mark.parametrize("setup", ["qwen3_vl"], indirect=True)
def test_two_processes_draw_and_learn_as_one(
    cold: RunSetup, rollouts: KeptOpen, tmp_path: Path
) -> None:
    """Each process has an engine of its own, and one whole group."""
    single = with_rule(recipe_of(cold), "rl", steps=2, loss="grpo", learning_rate=1e-5, entropy=0.0)
    train("rl", single, cold.examples, tmp_path / "one")
    train_in_two_processes(
        "rl", with_rule(single, "rl", device_batch=4), cold.examples, tmp_path / "two"
    )
    for line, alone in zip(lines(tmp_path / "two"), lines(tmp_path / "one"), strict=True):
        assert line["rollout_difference"] <= LARGEST
        for key in ("reward", "loss", "grad_norm", "answer_tokens"):
            assert line[key] == pytest.approx(alone[key], rel=1e-3, abs=1e-5)


def test_weights_that_are_divided_are_gathered() -> None:
    in_two_processes(gather)


def gather() -> None:
    """Divide a model's weights as FSDP2 does, and compare what vLLM would get."""
    torch.distributed.init_process_group("gloo")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    whole = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    assert all(isinstance(tensor, DTensor) for tensor in model.state_dict().values())
    gathered = dict(whole_weights(model))
    assert gathered.keys() == whole.keys()
    assert all(torch.equal(gathered[name], whole[name]) for name in whole)


def test_adapters_that_zero3_divides_are_refused(
    cold: RunSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl, "is_deepspeed_zero3_enabled", lambda: True)
    with pytest.raises(UserError, match="--launch fsdp2 or zero2"):
        train(
            "rl", recipe_of(cold, train="lora", freeze_vision=True), cold.examples, tmp_path / "a"
        )


def test_the_prompts_are_the_trainers(cold: RunSetup, rollouts: KeptOpen) -> None:
    batches = batches_of(cold)
    answers = rollouts._engine.answers(requests(cold))
    assert [list(answer.prompt_ids) for answer in answers] == [
        batches.prompt(example).ids for example in cold.examples
    ]


def test_a_prompt_that_is_not_the_trainers_ends_the_training(
    cold: RunSetup, rollouts: KeptOpen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = KeptOpen.answers

    def of_another(self: KeptOpen, asked: list[Request], *rest: Any) -> Any:
        return answer(self, [replace(r, prompt=f"{r.prompt} now") for r in asked], *rest)

    monkeypatch.setattr(KeptOpen, "answers", of_another)
    with pytest.raises(RuntimeError, match="another prompt of sample s"):
        train("rl", recipe_of(cold), cold.examples, tmp_path / "out")


def test_tokens_of_pictures_are_never_generated(cold: RunSetup, rollouts: KeptOpen) -> None:
    """Also where the model would answer nothing else."""
    model, never = load_policy(cold.start, recipe_of(cold).model), suppressed(cold)
    rollouts.sync(model)
    usual = {token for a in rollouts._engine.answers(requests(cold)) for token in a.ids}
    weights = dict(whole_weights(model))
    head = weights["lm_head.weight"].clone()
    head[never] = head[sorted(usual)].mean(dim=0) * 3
    rollouts._engine.reload({**weights, "lm_head.weight": head}.items())
    answers = rollouts._engine.answers(requests(cold))
    assert not {token for answer in answers for token in answer.ids} & set(never)
    # their share counts in the probabilities of the others, as in the trainer
    assert median(p for answer in answers for p in answer.log_probs) < -3


def test_weights_wait_for_the_answers(cold: RunSetup, rollouts: KeptOpen) -> None:
    engine = rollouts._engine
    identity = engine._accepted(requests(cold)[0])
    with pytest.raises(RuntimeError, match="while it answers"):
        engine.reload(())
    engine._llm.llm_engine.abort_request([identity])
    assert len(engine.answers(requests(cold))) == len(cold.examples)


def test_a_prompt_that_is_too_long_is_an_error_with_a_reason(
    cold: RunSetup, rollouts: KeptOpen
) -> None:
    engine, (short, *_) = rollouts._engine, requests(cold)
    with pytest.raises(UserError, match=r"vLLM refuses the prompt of a sample: .*2048"):
        engine.answers([short, replace(short, prompt=short.prompt + " then" * 4096)])
    assert len(engine.answers([short])) == 1


def test_the_trainer_keeps_its_threads(rollouts: KeptOpen) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before + 1
    torch.set_num_threads(before)
