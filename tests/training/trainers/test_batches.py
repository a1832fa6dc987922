"""Training inputs are evaluation inputs: ids, pixels, positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.trainers import stage as stage_module
from vtg_eval.training.trainers.batches import (
    IGNORED,
    Batches,
    find_start_checkpoint,
    make_batches,
    order,
)

from tests.training_case import RL, SFT, RunSetup, train
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]


class ModelInputs:
    """Records a model's inputs: each row's ids, with its pixels and its tokens' positions."""

    def __init__(self) -> None:
        self.rows: list[tuple[list[int], torch.Tensor, torch.Tensor]] = []
        self._inputs: dict[str, Any] = {}

    def watch(self, model: Any) -> Any:
        """Record the inputs of the vision tower, the whole model and the language model."""

        def keep_pixels(_: Any, args: Any, kwargs: dict[str, Any]) -> None:
            self._inputs |= {"pixels": args[0], "grids": kwargs["grid_thw"]}

        def keep_tokens(_: Any, args: Any, kwargs: dict[str, Any]) -> None:
            self._inputs |= {key: kwargs[key] for key in ("input_ids", "attention_mask")}

        def keep_positions(_: Any, args: Any, kwargs: dict[str, Any]) -> None:
            if self._inputs["input_ids"].shape[1] > 1:  # not the later steps of generation
                self.rows += self._split(kwargs["position_ids"][-3:])

        for part, keep in (
            (model.model.visual, keep_pixels),
            (model.model, keep_tokens),
            (model.model.language_model, keep_positions),
        ):
            part.register_forward_pre_hook(keep, with_kwargs=True)
        return model

    def _split(self, positions: torch.Tensor) -> Iterator[Any]:
        ids, attention_mask = self._inputs["input_ids"], self._inputs["attention_mask"]
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        mask = mask.bool()
        videos = self._inputs["pixels"].split(self._inputs["grids"].prod(dim=1).tolist())
        assert len(videos) == len(ids)
        for row, pixels in enumerate(videos):
            yield ids[row, mask[row]].tolist(), pixels, positions[:, row, mask[row]]

    def of(self, prompt: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return pixels and positions of the rows that begin with a prompt, cut to the prompt."""
        size = len(prompt)
        return [(p, at[:, :size]) for ids, p, at in self.rows if ids[:size] == prompt]


@pytest.fixture(scope="module")
def batches(setup: RunSetup) -> Batches:
    registry = Registry.discover()
    source = find_start_checkpoint(setup.recipe().model, registry)
    return make_batches(source, registry)[0]


@pytest.fixture(scope="module")
def evaluated(setup: RunSetup, batches: Batches) -> dict[tuple[int, ...], Any]:
    """The pixels and positions of each sample in evaluation, by its prompt's ids."""
    # with "checkpoint", whole prompts are computed, each with its video
    rule = GenerationRule(max_new_tokens=1, decoding="checkpoint")
    engine = TransformersEngine(setup.start, rule, EngineOptions(batch_size=1))
    seen = ModelInputs()
    seen.watch(engine._model)
    completions = list(engine.generate(batches.request(e) for e in setup.examples))
    engine.close()
    asked = [c.prompt_token_ids for c in completions]
    assert [tuple(ids) for ids, _, _ in seen.rows] == asked
    return {tuple(ids): (pixels, at) for ids, pixels, at in seen.rows}


@pytest.mark.parametrize("kind", ["sft", "rl"])
def test_the_model_sees_in_training_what_it_sees_in_evaluation(
    kind: str, setup: RunSetup, evaluated: dict[Any, Any], tmp_path: Path, monkeypatch: Any
) -> None:
    """In every forward pass of both stages: those that generate answers and those of the loss."""
    seen = ModelInputs()
    load = stage_module.load_policy
    monkeypatch.setattr(stage_module, "load_policy", lambda *args: seen.watch(load(*args)))
    recipe = setup.recipe(
        sft=replace(SFT, steps=3), rl=replace(RL, steps=3, group=2, device_batch=2)
    )
    train(kind, recipe, setup.examples, tmp_path / "out")
    trained = {prompt: seen.of(list(prompt)) for prompt in evaluated}
    assert sum(map(len, trained.values())) == len(seen.rows)
    for prompt, inputs in trained.items():
        assert inputs  # three steps use all five samples
        for pixels, positions in inputs:
            assert torch.equal(pixels, evaluated[prompt][0])
            assert torch.equal(positions, evaluated[prompt][1])


def test_labels_are_the_answer_and_its_end(setup: RunSetup, batches: Batches) -> None:
    batch = batches.training_batch(setup.examples[:3])
    for row, example in enumerate(setup.examples[:3]):
        prompt, answer = batches.prompt(example).ids, batches.answer_ids(example)
        labels = batch["labels"][row]
        assert labels[labels != IGNORED].tolist() == answer
        assert batch["input_ids"][row, -len(prompt + answer) :].tolist() == prompt + answer
        assert labels[-len(answer) :].tolist() == answer


@pytest.mark.parametrize("text", ["", "1 - 2<|im_end|>", "<|video_pad|>", "a <|im_start|>user"])
def test_answers_with_control_tokens_are_refused(
    text: str, setup: RunSetup, batches: Batches
) -> None:
    with pytest.raises(UserError, match=r"sample s0 holds"):
        batches.training_batch([replace(setup.examples[0], answer=text)])


def test_a_video_that_cannot_be_read_is_named(
    setup: RunSetup, batches: Batches, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    broken = replace(setup.examples[0], video=tmp_path / "broken.mp4")
    with pytest.raises(UserError, match=r"broken\.mp4 \(sample s0\) cannot be read"):
        batches.prompt(broken)


def test_frames_as_images_cost_more_than_the_video(setup: RunSetup, batches: Batches) -> None:
    """As in docs/design/training.md: images have no temporal patches."""
    registry = Registry.discover()
    processor = make_batches(find_start_checkpoint(setup.recipe().model, registry), registry)[1]
    request = batches.request(setup.examples[2])
    assert request.frames is not None
    video = batches.prompt(setup.examples[2])
    frames = list(request.frames.array)
    grids = processor.image_processor(frames, do_resize=False, return_tensors="pt")
    images = int(grids["image_grid_thw"].prod(dim=1).sum()) // 4
    assert images == 2 * video.ids.count(processor.video_token_id)


@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 5))
def test_each_pass_over_the_data_holds_every_row_once(count: int, size: int, seed: int) -> None:
    rows = order(count, size, seed)
    assert len(rows) == size
    for start in range(0, size - count + 1, count):
        assert sorted(rows[start : start + count]) == list(range(count))
    assert order(count, size + 7, seed)[:size] == rows
    plain = order(count, size, seed, shuffled=False)
    np.testing.assert_array_equal(plain, np.arange(size) % count)


def test_stages_with_one_seed_have_different_orders() -> None:
    """As good as unrelated: half of one order has half of its rows in half of the other."""
    fine_tuning = [order(200, 100, seed) for seed in range(50)]
    rl = [order(200, 100, seed, stage=(1,)) for seed in range(50)]
    common = [len(set(a) & set(b)) for a, b in zip(fine_tuning, rl, strict=True)]
    assert np.mean(common) == pytest.approx(50, abs=3)
