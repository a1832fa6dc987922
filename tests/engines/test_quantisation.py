"""Quantised checkpoints: each engine runs them, or refuses them by their method at the start."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from safetensors.torch import load_file, save_file

from tests.engine_case import RunSetup, make_adapter, make_setup
from vtg_eval.engines.base import Completion, Engine, EngineOptions
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule
from vtg_eval.run.requests import probe_request

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("lora")]
RULE = GenerationRule(max_new_tokens=8)
LARGEST = {torch.int8: 127, torch.float8_e4m3fn: 448}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}
FP8 = {
    "quant_method": "fp8",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
    "modules_to_not_convert": ["lm_head", "visual", "model.visual"],
}
FOUR_BITS = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
EIGHT_BITS = {"load_in_8bit": True}
UNKNOWN = {"quant_method": "zipped", "bits": 3}
NAMELESS = {"bits": 4}


def compressed(kind: str, form: str) -> dict[str, Any]:
    """Return the settings of compressed-tensors for 8 bits a weight, one scale a row."""
    numbers = {"num_bits": 8, "type": kind, "symmetric": True}
    group = {
        "targets": ["Linear"],
        "weights": {**numbers, "strategy": "channel"},
        "input_activations": {**numbers, "strategy": "token", "dynamic": True},
    }
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": ["lm_head", "re:.*visual.*"],
    }


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    return make_setup("qwen3_vl", tmp_path_factory.mktemp("whole"))


def quantised(folder: Path, setup: RunSetup, settings: dict[str, Any]) -> Path:
    """Copy the checkpoint with a quantization_config."""
    shutil.copytree(setup.folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    return folder


def store(folder: Path, dtype: torch.dtype, suffix: str, *, rows: bool) -> None:
    """Store the matrices of the language model in 8 bits, scaled by rows or as a whole."""
    stored = load_file(folder / "model.safetensors")
    for name in [n for n in stored if "language_model.layers" in n and n.endswith("_proj.weight")]:
        weight = stored[name]
        largest = weight.abs().amax(1, keepdim=True) if rows else weight.abs().max().reshape(1, 1)
        scale = largest / LARGEST[dtype]
        scaled = weight / scale
        stored[name] = (scaled if dtype.is_floating_point else scaled.round()).to(dtype)
        stored[f"{name}{suffix}"] = scale
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def check(kind: type[Engine], folder: Path, **options: Any) -> None:
    kind.check(folder, EngineOptions(**options), partial(probe_request, make_adapter(folder)))


def answers(kind: type[Engine], folder: Path, setup: RunSetup, **options: Any) -> list[Completion]:
    engine = kind(folder, RULE, EngineOptions(**options))
    try:
        return sorted(engine.generate(setup.requests[:4]), key=lambda done: done.sample_id)
    finally:
        engine.close()


def vllm() -> type[Engine]:
    from vtg_eval.engines.vllm import VllmEngine

    return VllmEngine


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (AWQ, "quantised by awq.*gptqmodel"),
        (GPTQ, "quantised by gptq.*optimum"),
        (FOUR_BITS, "quantised by bitsandbytes.*pip install -U bitsandbytes"),
        (EIGHT_BITS, "quantised by bitsandbytes.*pip install -U bitsandbytes"),
        (UNKNOWN, "quantised by zipped.*does not have that method"),
        (NAMELESS, "quantization_config without a quant_method"),
    ],
)
def test_transformers_names_the_method_and_what_it_lacks(
    settings: dict[str, Any], says: str, setup: RunSetup, tmp_path: Path
) -> None:
    folder = quantised(tmp_path / "model", setup, settings)
    with pytest.raises(UserError, match=says) as caught:
        check(TransformersEngine, folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (AWQ, "quantised by awq.*float32 is not supported.*--dtype"),
        (GPTQ, "quantised by gptq.*float32 is not supported.*--dtype"),
        (FP8, "quantised by fp8.*float32 is not supported.*--dtype"),
        (FOUR_BITS, "quantised by bitsandbytes.*Unknown quantization method"),
        (UNKNOWN, "quantised by zipped.*Unknown quantization method"),
        (NAMELESS, "quantization_config without a quant_method"),
    ],
)
def test_vllm_names_the_method_and_the_reason(
    settings: dict[str, Any], says: str, setup: RunSetup, tmp_path: Path
) -> None:
    folder = quantised(tmp_path / "model", setup, settings)
    with pytest.raises(UserError, match=says) as caught:
        check(vllm(), folder)
    assert "\n" not in str(caught.value)


def test_vllm_says_which_processor_it_lacks(setup: RunSetup, tmp_path: Path) -> None:
    folder = quantised(tmp_path / "model", setup, FP8)
    store(folder, torch.float8_e4m3fn, "_scale_inv", rows=False)
    if torch.cpu._is_amx_tile_supported():
        check(vllm(), folder, dtype="bfloat16")
        return
    with pytest.raises(UserError, match=r"quantised by fp8.*requires AMX"):
        check(vllm(), folder, dtype="bfloat16")


def test_blocks_of_8_bit_floats_run_on_transformers(setup: RunSetup, tmp_path: Path) -> None:
    """The form of Qwen's own FP8 checkpoints; without a GPU the weights are unpacked."""
    folder = quantised(tmp_path / "model", setup, FP8)
    store(folder, torch.float8_e4m3fn, "_scale_inv", rows=False)
    check(TransformersEngine, folder)
    done = answers(TransformersEngine, folder, setup)
    assert [completion.error for completion in done] == [None] * 4


@pytest.mark.parametrize(
    ("settings", "dtype"),
    [
        (compressed("int", "int-quantized"), torch.int8),
        (compressed("float", "float-quantized"), torch.float8_e4m3fn),
    ],
    ids=["int8", "fp8"],
)
def test_compressed_tensors_run_on_transformers(
    settings: dict[str, Any], dtype: torch.dtype, setup: RunSetup, tmp_path: Path
) -> None:
    pytest.importorskip("compressed_tensors", reason="vLLM brings it")
    folder = quantised(tmp_path / "model", setup, settings)
    store(folder, dtype, "_scale", rows=True)
    check(TransformersEngine, folder)
    done = answers(TransformersEngine, folder, setup)
    assert [completion.error for completion in done] == [None] * 4


def test_compressed_tensors_run_on_vllm(setup: RunSetup, tmp_path: Path) -> None:
    folder = quantised(tmp_path / "model", setup, compressed("int", "int-quantized"))
    store(folder, torch.int8, "_scale", rows=True)
    check(vllm(), folder)
    done = answers(vllm(), folder, setup)
    assert [completion.error for completion in done] == [None] * 4
    expected = answers(TransformersEngine, folder, setup)
    # the engines round the activations differently, so only the first tokens are the same
    assert [d.text[:2] for d in done] == [d.text[:2] for d in expected]
