from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtg_eval.checkpoint import resolve as resolve_module
from vtg_eval.checkpoint.resolve import default_engine, resolve, resolve_whole
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def write_config(folder: Path, text: str) -> Path:
    (folder / "config.json").write_text(text)
    return folder


def test_folder_is_served_by_its_architecture(tmp_path: Path, registry: Registry) -> None:
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "vision_config": {}}
    folder = write_config(tmp_path, json.dumps(config))
    checkpoint, entry = resolve(str(folder), registry)
    assert entry.name == "qwen3_vl"
    assert (checkpoint.path, checkpoint.config) == (folder, config)


def test_shipped_model_by_name(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    path = registry.models["nano"].path
    monkeypatch.setattr(
        resolve_module,
        "_read_config",
        lambda p: {"architectures": ["Qwen3VLForConditionalGeneration"]},
    )
    checkpoint, _ = resolve("nano", registry)
    assert checkpoint.path == path


def test_adapters_with_an_engine_take_an_argument(registry: Registry) -> None:
    checkpoint, entry = resolve("replay:runs/a:b", registry)
    assert (checkpoint.argument, checkpoint.path, entry.engine) == ("runs/a:b", None, "replay")
    with pytest.raises(UserError, match="after a colon"):
        resolve("baseline", registry)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nanoo", 'Did you mean "nano"'),
        ("qwen3_vl:somewhere", "no such folder"),
    ],
)
def test_the_error_for_an_unknown_model_names_the_next_step(
    reference: str, says: str, registry: Registry
) -> None:
    with pytest.raises(UserError, match=says):
        resolve(reference, registry)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"architectures": ["Gpt2"]}', "{}"])
def test_broken_or_foreign_config_is_refused(text: str, tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(UserError):
        resolve(str(write_config(tmp_path, text)), registry)


def test_a_folder_without_config_and_a_file(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        resolve(str(tmp_path), registry)
    file = tmp_path / "model.gguf"
    file.write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        resolve(str(file), registry)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [({"vllm", "transformers"}, "vllm"), ({"transformers"}, "transformers")],
)
def test_the_default_engine_is_the_first_one_installed(
    installed: set[str], chosen: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        resolve_module, "find_spec", lambda name: name if name in installed else None
    )
    assert default_engine(registry) == chosen


def test_no_engine_names_the_extras(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="vllm-cpu or hf"):
        default_engine(registry)


def test_a_lora_is_resolved_with_its_base_but_is_no_start_of_a_training(
    tmp_path: Path, registry: Registry
) -> None:
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "vision_config": {}}
    base, lora = tmp_path / "base", tmp_path / "lora"
    for folder in (base, lora):
        folder.mkdir()
    write_config(base, json.dumps(config))
    (lora / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    checkpoint, entry = resolve(str(lora), registry)
    assert (checkpoint.path, checkpoint.lora, checkpoint.name) == (base, lora, "lora+base")
    assert (checkpoint.config, entry.name) == (config, "qwen3_vl")
    assert resolve_whole(str(base), registry)[0].path == base
    with pytest.raises(UserError, match="merge_and_unload"):
        resolve_whole(str(lora), registry)
