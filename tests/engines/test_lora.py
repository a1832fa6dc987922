"""LoRA folders: both engines answer as the merged checkpoint does, or refuse the LoRA by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from safetensors.torch import load_file, save_file

from tests.engine_case import RunSetup, make_adapter, make_setup
from tests.lora_folders import ALL_LINEAR, LANGUAGE_LAYERS, change_settings, write_lora, write_merged
from vtg_eval.engines.base import Completion, Engine, EngineOptions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule
from vtg_eval.run.requests import probe_request

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("lora")]
RULE = GenerationRule(max_new_tokens=12)
WEIGHTS = "adapter_model.safetensors"
# what the LoRA of each family changes
TARGETS = {"qwen2_5_vl": LANGUAGE_LAYERS, "qwen3_vl": ALL_LINEAR}
Answers = Mapping[str, Completion]


@dataclass(frozen=True, slots=True)
class LoraSetup:
    """A base checkpoint with requests, a LoRA on it, and the answers of the merged checkpoint."""

    base: RunSetup
    lora: Path
    expected: Answers


@pytest.fixture(scope="module", params=list(TARGETS))
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoraSetup:
    folder = tmp_path_factory.mktemp(request.param)
    base = make_setup(request.param, folder / "base")
    lora = write_lora(folder / "lora", base.folder, TARGETS[request.param])
    merged = write_merged(folder / "merged", base.folder, lora)
    return LoraSetup(base, lora, answers(TransformersEngine, merged, base))


def answers(
    kind: type[Engine], folder: Path, base: RunSetup, lora: Path | None = None
) -> Answers:
    engine = kind(folder, RULE, EngineOptions(batch_size=4, lora=lora))
    try:
        return {done.sample_id: done for done in engine.generate(base.requests)}
    finally:
        engine.close()


def check(kind: type[Engine], folder: Path, lora: Path) -> None:
    kind.check(folder, EngineOptions(lora=lora), partial(probe_request, make_adapter(folder)))


def vllm() -> type[Engine]:
    from vtg_eval.engines.vllm import VllmEngine

    return VllmEngine


def test_transformers_answers_as_the_merged_checkpoint(setup: LoraSetup) -> None:
    folder = setup.base.folder
    check(TransformersEngine, folder, setup.lora)
    assert answers(TransformersEngine, folder, setup.base, setup.lora) == setup.expected
    plain = answers(TransformersEngine, folder, setup.base)
    assert all(plain[key].text != done.text for key, done in setup.expected.items())


def test_vllm_answers_as_the_merged_checkpoint(setup: LoraSetup) -> None:
    check(vllm(), setup.base.folder, setup.lora)
    assert answers(vllm(), setup.base.folder, setup.base, setup.lora) == setup.expected
