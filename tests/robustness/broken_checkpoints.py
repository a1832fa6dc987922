"""What breaks a checkpoint: functions that change the files of a whole one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from safetensors.torch import load_file, save_file

from tests.robustness.case import RIGHT_VALUE, Case
from vtg_eval.failures import Failure
from vtg_eval.protocol import GenerationRule

Break = Callable[[Path], object]
Weights = dict[str, Any]
RULE = GenerationRule(max_new_tokens=6)
MODEL, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
TOKENIZER, CONFIG, GENERATION = "tokenizer.json", "config.json", "generation_config.json"
LORA = "adapter_config.json"
HEAD = "lm_head.weight"
LAYER = "model.layers.1."
Q_PROJ = "model.layers.0.self_attn.q_proj.weight"
GARBAGE = bytes(range(128, 256))


@dataclass(frozen=True, slots=True)
class Broken(Case):
    """A checkpoint of a family, and what is done to its folder.

    says: a part of the message, where it is refused.
    """

    says: str
    change: Break
    family: str = "qwen2_5_vl"


NON_FINITE = Failure.NON_FINITE_MODEL.value


def diverged(name: str, change: Break, family: str = "qwen2_5_vl") -> Broken:
    return Broken(name, NON_FINITE, "", change, family)


def refused(
    name: str, outcome: str, says: str, change: Break, family: str = "qwen2_5_vl"
) -> Broken:
    return Broken(name, outcome, says, change, family)


def runs(name: str, change: Break, family: str = "qwen2_5_vl") -> Broken:
    return Broken(name, RIGHT_VALUE, "", change, family)


def weights(rule: Callable[[Weights], Weights]) -> Break:
    """Rewrite the weights."""

    def change(folder: Path) -> None:
        save(rule(load_file(folder / MODEL)), folder / MODEL)

    return change


def save(tensors: Weights, path: Path) -> None:
    path.unlink(missing_ok=True)  # it may be a link to the file of another test
    save_file(
        {k: v.clone().contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"}
    )


def renamed(rule: Callable[[str], str]) -> Break:
    return weights(lambda tensors: {rule(name): value for name, value in tensors.items()})


def without(part: str) -> Break:
    return weights(lambda tensors: {k: v for k, v in tensors.items() if part not in k})


def added(name: str, *shape: int) -> Break:
    return weights(lambda tensors: {**tensors, name: torch.ones(shape)})


def written(name: str, content: bytes | str) -> Break:
    """Replace a file, or add one."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def removed(*names: str) -> Break:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def table(name: str, *path: str, value: Any) -> Break:
    """Set one value of a JSON file."""

    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        written(name, json.dumps(content))(folder)

    return change


def all_of(*changes: Break) -> Break:
    return lambda folder: [change(folder) for change in changes]


def cut(name: str, keep: Callable[[int], int]) -> Break:
    """Keep the first bytes of a file only."""

    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        written(name, content[: keep(len(content))])(folder)

    return change


def sharded(folder: Path) -> None:
    """Save the weights as two files and an index."""
    tensors = load_file(folder / MODEL)
    parts: dict[str, Weights] = {FIRST: {}, SECOND: {}}
    for number, (name, value) in enumerate(tensors.items()):
        parts[(FIRST, SECOND)[number % 2]][name] = value
    for file, part in parts.items():
        save(part, folder / file)
    (folder / MODEL).unlink()
    placed = {name: file for file, part in parts.items() for name in part}
    written(INDEX, json.dumps({"metadata": {}, "weight_map": placed}))(folder)


def linked(folder: Path) -> None:
    """Put the weights behind a link, as a download cache does."""
    (folder / MODEL).rename(folder / "blob")
    (folder / MODEL).symlink_to("blob")


def twice(folder: Path) -> None:
    """Save as two files with an index, and keep the whole file."""
    content = (folder / MODEL).read_bytes()
    sharded(folder)
    (folder / MODEL).write_bytes(content)


def index(rule: Callable[[dict[str, Any]], dict[str, Any]]) -> Break:
    """Save as two files, then rewrite the index."""

    def change(folder: Path) -> None:
        sharded(folder)
        written(INDEX, json.dumps(rule(json.loads((folder / INDEX).read_text()))))(folder)

    return change


def moved_to_first(content: dict[str, Any]) -> dict[str, Any]:
    return {"weight_map": dict.fromkeys(content["weight_map"], FIRST)}


def first_weight_left_out(content: dict[str, Any]) -> dict[str, Any]:
    return {"weight_map": dict(list(content["weight_map"].items())[1:])}


def tied(head: Callable[[Any], Any] | None) -> Break:
    """Tie head and embedding in config.json; head: from the embedding, None leaves it out."""

    def rule(tensors: Weights) -> Weights:
        rest = {name: value for name, value in tensors.items() if name != HEAD}
        return rest if head is None else {**rest, HEAD: head(rest["model.embed_tokens.weight"])}

    return all_of(table("config.json", "tie_word_embeddings", value=True), weights(rule))


def adapter(folder: Path) -> None:
    written(LORA, json.dumps({"peft_type": "LORA", "r": 4}))(folder)
    save({"base_model.model.lora_A.weight": torch.ones(4, 4)}, folder / "adapter_model.safetensors")


def template_in(name: str, template: str | None = None) -> Break:
    """Move the chat template (or another) into a JSON file."""

    def change(folder: Path) -> None:
        file = folder / "chat_template.jinja"
        text = template or file.read_text()
        file.unlink()
        path = folder / name
        content = json.loads(path.read_text()) if path.is_file() else {}
        written(name, json.dumps({**content, "chat_template": text}))(folder)

    return change


def separate_processor_files(folder: Path) -> None:
    """Split processor_config.json into the two files that older checkpoints have."""
    content = json.loads((folder / "processor_config.json").read_text())
    for part, name in (("image", "preprocessor"), ("video", "video_preprocessor")):
        settings = {**content[f"{part}_processor"], "processor_class": content["processor_class"]}
        written(f"{name}_config.json", json.dumps(settings))(folder)
    (folder / "processor_config.json").unlink()


def image_processor(kind: str) -> Break:
    return all_of(
        separate_processor_files,
        table("preprocessor_config.json", "image_processor_type", value=kind),
    )


def modern_name(name: str) -> str:
    """Return a weight's name in the model, to which transformers changes the file's."""
    if name == HEAD:
        return name
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1)


def filled(part: str, value: float) -> Break:
    """Set all weights with this in their names to a value, with their signs."""
    return weights(
        lambda tensors: {k: v.sign() * value if part in k else v for k, v in tensors.items()}
    )


def packed(tensors: Weights) -> Weights:
    """Store matrices of the language model as whole numbers of half the width, with scales."""
    stored = dict(tensors)
    for name in [name for name in tensors if ".layers." in name and "_proj.weight" in name]:
        stem, matrix = name.removesuffix(".weight"), stored.pop(name)
        stored[f"{stem}.qweight"] = matrix[:, ::2].to(torch.int32)
        stored[f"{stem}.scales"] = torch.ones(1, len(matrix))
    return stored


def quantised(folder: Path) -> None:
    table(CONFIG, "quantization_config", value={"quant_method": "awq", "bits": 4})(folder)
    weights(packed)(folder)
