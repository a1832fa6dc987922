"""LoRA folders: both engines answer as the merged checkpoint does, or refuse the LoRA by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from safetensors.torch import load_file, save_file

from tests.engine_case import RunSetup, make_adapter, make_setup
from tests.lora_folders import (
    ALL_LINEAR,
    LANGUAGE_LAYERS,
    change_settings,
    write_lora,
    write_merged,
)
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


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    """A base checkpoint; beside its folder is a LoRA on it, "lora"."""
    folder = tmp_path_factory.mktemp("one")
    base = make_setup("qwen2_5_vl", folder / "base")
    write_lora(folder / "lora", base.folder)
    return replace(base, requests=base.requests[:4])


def answers(kind: type[Engine], folder: Path, base: RunSetup, lora: Path | None = None) -> Answers:
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


@pytest.mark.parametrize("setup", ["qwen3_vl"], indirect=True)
def test_vllm_refuses_to_leave_out_a_part(setup: LoraSetup) -> None:
    """With vLLM's argument that leaves out the vision tower there is no answer of half a LoRA."""
    options = EngineOptions(lora=setup.lora, extra={"enable_tower_connector_lora": False})
    with pytest.raises(UserError, match=r"would not apply \d+ modules of .*visual"):
        vllm()(setup.base.folder, RULE, options)


def renamed(old: str, new: str) -> Callable[[Path], object]:
    return weights(lambda name, value: {name.replace(old, new): value})


def weights(rule: Callable[[str, Any], dict[str, Any]]) -> Callable[[Path], object]:
    """Rewrite the weights, each by the rule."""

    def change(folder: Path) -> None:
        stored = load_file(folder / WEIGHTS)
        changed = [rule(name, value) for name, value in stored.items()]
        save_file({n: v for part in changed for n, v in part.items()}, folder / WEIGHTS)

    return change


def settings(**values: Any) -> Callable[[Path], object]:
    return lambda folder: change_settings(folder, **values)


def new_tokens(folder: Path) -> None:
    tokens = [{"id": 900 + number, "content": f"<t{number}>"} for number in (1, 2)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another module": (renamed("q_proj", "z_proj"), "of modules that the base does not have"),
    "a module too many": (
        weights(
            lambda name, value: {name: value, name.replace("layers.1", "layers.7"): value.clone()}
        ),
        "14 of modules that the base does not have",
    ),
    "a weight missing": (
        weights(lambda name, value: {} if "layers.1.self_attn.q_proj" in name else {name: value}),
        "2 missing for modules that adapter_config.json names",
    ),
    "another width": (
        weights(lambda name, value: {name: value.repeat(1, 2).contiguous()}),
        "of another shape",
    ),
    "another rank": (settings(r=8), "of another shape"),
    "no such module": (settings(target_modules=["w_pack"]), "cannot be applied to its base"),
    "DoRA": (settings(use_dora=True), "use_dora to True.*merge_and_unload"),
    "a setting of a newer peft": (settings(use_nora=True), "use_nora to True"),
    "trained biases": (settings(bias="all"), "bias to 'all'"),
    "another type": (settings(peft_type="IA3"), "of the type IA3, not LoRA"),
    "no type": (settings(peft_type=None), "of the type None"),
    "a start that changes the base": (settings(init_lora_weights="pissa"), "pissa.*base model"),
    "no rank": (settings(r=None), "the rank r is None"),
    "a rank of text": (settings(rank_pattern={"q_proj": "4"}), "the rank q_proj is '4'"),
    "no scale": (settings(lora_alpha=None), "lora_alpha"),
    "weights cut": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9]),
        "cut or damaged",
    ),
    "pickle": (
        lambda folder: (folder / WEIGHTS).rename(folder / "adapter_model.bin"),
        "only adapter_model.bin",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "has no adapter_model.safetensors"),
    "no settings": (
        lambda folder: (folder / "adapter_config.json").unlink(),
        "no adapter_config.json",
    ),
    "new tokens": (new_tokens, r"2 tokens that the base's tokenizer lacks \(<t1>, <t2>\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_lora_that_does_not_fit_is_refused(name: str, one: RunSetup, tmp_path: Path) -> None:
    change, says = REFUSED[name]
    lora = tmp_path / "lora"
    shutil.copytree(one.folder.with_name("lora"), lora)
    change(lora)
    with pytest.raises(UserError, match=says) as caught:
        check(TransformersEngine, one.folder, lora)
    assert "\n" not in str(caught.value)


def test_names_of_the_first_transformers_fit(one: RunSetup, tmp_path: Path) -> None:
    lora = tmp_path / "lora"
    shutil.copytree(one.folder.with_name("lora"), lora)
    renamed("model.language_model.", "model.")(lora)
    check(TransformersEngine, one.folder, lora)
    assert answers(TransformersEngine, one.folder, one, lora) == answers(
        TransformersEngine, one.folder, one, one.folder.with_name("lora")
    )


def test_modules_saved_as_a_whole_are_loaded_by_transformers(one: RunSetup, tmp_path: Path) -> None:
    lora = write_lora(tmp_path / "lora", one.folder, modules_to_save=["lm_head"])
    merged = write_merged(tmp_path / "merged", one.folder, lora)
    check(TransformersEngine, one.folder, lora)
    expected = answers(TransformersEngine, merged, one)
    assert answers(TransformersEngine, one.folder, one, lora) == expected


def test_vllm_refuses_modules_saved_as_a_whole(one: RunSetup, tmp_path: Path) -> None:
    lora = write_lora(tmp_path / "lora", one.folder, modules_to_save=["lm_head"])
    with pytest.raises(UserError, match="lm_head, which vLLM does not apply"):
        check(vllm(), one.folder, lora)


def test_vllm_names_its_limit_of_the_rank(one: RunSetup, tmp_path: Path) -> None:
    lora = write_lora(tmp_path / "lora", one.folder, rank_pattern={"q_proj": 640})
    check(TransformersEngine, one.folder, lora)
    with pytest.raises(UserError, match=r"rank 640; vLLM's limit is 512"):
        check(vllm(), one.folder, lora)
