"""Broken checkpoints: each is refused at the start, in one line with a remedy, or runs as it must.

Refusals are tested by the command line on a data root whose only video is no video: a run that
came so far as to read it would end otherwise.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from safetensors.torch import load_file, save_file

from tests.engine_case import RunSetup, make_adapter, make_setup
from tests.robustness.case import RIGHT_VALUE, Case
from vtg_eval.cli import main
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.loading import load_model, load_processor
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure, Finish
from vtg_eval.protocol import GenerationRule
from vtg_eval.run.requests import probe_request

Break = Callable[[Path], object]
Weights = dict[str, Any]
RULE = GenerationRule(max_new_tokens=6)
MODEL, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
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
    written("adapter_config.json", json.dumps({"peft_type": "LORA", "r": 4}))(folder)
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


WRONG = "its weights are not those of the model"
DAMAGED = "is cut or damaged"
TOKENIZER, CONFIG, GENERATION = "tokenizer.json", "config.json", "generation_config.json"
TEMPLATE = "chat_template.jinja"
VIDEO_TURN = "{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"

CASES = (
    # names, shapes
    refused("names under module", WRONG, f"module.{HEAD}", renamed(lambda k: f"module.{k}")),
    refused("names of peft", WRONG, "unexpected", renamed(lambda k: f"base_model.model.{k}")),
    refused("names of torch.compile", WRONG, "_orig_mod", renamed(lambda k: f"_orig_mod.{k}")),
    refused("names of FSDP", WRONG, "_fsdp", renamed(lambda k: f"_fsdp_wrapped_module.{k}")),
    refused(
        "half merged LoRA",
        WRONG,
        "q_proj.base_layer.weight",
        renamed(lambda k: k.replace("q_proj.weight", "q_proj.base_layer.weight")),
    ),
    refused("LoRA left in", WRONG, "lora_A", added(f"{Q_PROJ[:-7]}.lora_A.weight", 4, 64)),
    refused("layer missing", WRONG, "12 missing", without(LAYER)),
    refused("vision tower missing", WRONG, "30 missing", without("visual.")),
    refused("merger missing", WRONG, "merger", without("visual.merger.")),
    refused("head missing", WRONG, HEAD, without("lm_head")),
    refused("embedding missing", WRONG, "embed_tokens", without("embed_tokens")),
    refused("one bias missing", WRONG, "1 missing", without("layers.0.self_attn.q_proj.bias")),
    refused("one layer too many", WRONG, "layers.2", added("model.layers.2.mlp.up_proj.weight", 4)),
    refused("a foreign weight", WRONG, "1 unexpected", added("value_head.weight", 4, 4)),
    refused(
        "another shape",
        WRONG,
        "[32, 64] for [64, 64]",
        weights(lambda tensors: {**tensors, Q_PROJ: tensors[Q_PROJ][:32]}),
    ),
    refused(
        "another vocabulary",
        WRONG,
        "2 of another shape",
        weights(
            lambda tensors: {
                k: v[:300] if k == HEAD or "embed_tokens" in k else v for k, v in tensors.items()
            }
        ),
    ),
    refused(
        "deepstack missing", WRONG, "deepstack", without("deepstack_merger"), family="qwen3_vl"
    ),
    refused(
        "Qwen3 under module", WRONG, "module.", renamed(lambda k: f"module.{k}"), family="qwen3_vl"
    ),
    refused(
        "more layers in config",
        WRONG,
        "layers.2",
        all_of(
            table(CONFIG, "text_config", "num_hidden_layers", value=3),
            table(CONFIG, "text_config", "layer_types", value=None),
        ),
    ),
    refused(
        "wider vision in config",
        WRONG,
        "of another shape",
        table(CONFIG, "vision_config", "intermediate_size", value=192),
    ),
    refused(
        "tied but another head",
        "is not model.embed_tokens",
        "tie_word_embeddings",
        tied(lambda e: e + 1),
    ),
    refused("packed without saying so", WRONG, "qweight", weights(packed)),
    refused(
        "whole numbers",
        "are stored as I8",
        "quantization_config",
        weights(lambda tensors: {k: v.to(torch.int8) for k, v in tensors.items()}),
    ),
    # files of weights
    refused("no weights", "has no weights", "Fetch", removed(MODEL)),
    refused("empty file", DAMAGED, MODEL, written(MODEL, b"")),
    refused("cut header", DAMAGED, "Fetch", cut(MODEL, lambda size: 500)),
    refused("cut data", DAMAGED, "Fetch", cut(MODEL, lambda size: size - 7)),
    refused("garbage", DAMAGED, "Fetch", written(MODEL, GARBAGE)),
    refused("a page of HTML", DAMAGED, "Fetch", written(MODEL, "<!DOCTYPE html><html></html>")),
    refused("huge header", DAMAGED, "Fetch", written(MODEL, b"\xff" * 8 + b"{}")),
    refused(
        "Git LFS pointer",
        "is a Git LFS pointer",
        "git lfs pull",
        written(MODEL, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"),
    ),
    refused(
        "pytorch only",
        "has no safetensors",
        "convert",
        all_of(removed(MODEL), written("pytorch_model.bin", GARBAGE)),
    ),
    refused(
        "GGUF only",
        "has no safetensors",
        "convert",
        all_of(removed(MODEL), written("model-q4.gguf", b"GGUF")),
    ),
    refused("shard missing", "is missing", SECOND, all_of(sharded, removed(SECOND))),
    refused("shard cut", DAMAGED, FIRST, all_of(sharded, cut(FIRST, lambda size: size // 2))),
    refused("index missing", f"but no {INDEX}", FIRST, all_of(sharded, removed(INDEX))),
    refused(
        "index broken", "cannot be read", INDEX, all_of(sharded, cut(INDEX, lambda size: size // 2))
    ),
    refused("index without a map", "has no weight_map", INDEX, index(lambda content: {})),
    refused(
        "index of numbers",
        "has no weight_map",
        INDEX,
        index(lambda content: {"weight_map": {HEAD: 5}}),
    ),
    refused("index moves weights", "but it is not", FIRST, index(moved_to_first)),
    refused("index lacks a weight", "does not say", INDEX, index(first_weight_left_out)),
    refused(
        "index leaves the folder",
        "is not a file of its folder",
        "../",
        index(lambda c: {"weight_map": {HEAD: f"../{FIRST}"}}),
    ),
    refused(
        "whole file and index",
        "has both",
        "out of date",
        twice,
    ),
    refused(
        "two whole files",
        "holds further weights",
        "optimizer.safetensors",
        lambda folder: shutil.copyfile(folder / MODEL, folder / "optimizer.safetensors"),
    ),
    # adapters
    refused("adapter beside weights", "holds an adapter", "merge_and_unload", adapter),
    refused(
        "adapter's pickle beside weights",
        "holds an adapter",
        "move",
        written("adapter_model.bin", GARBAGE),
    ),
    refused(
        "adapter with config",
        "holds an adapter",
        "no whole weights",
        all_of(adapter, removed(MODEL)),
    ),
    refused(
        "adapter alone",
        "holds an adapter",
        "merge_and_unload",
        all_of(adapter, removed(MODEL, CONFIG)),
    ),
    # tokenizer, processor, template
    refused(
        "no tokenizer",
        "has no tokenizer files",
        "Fetch",
        removed(TOKENIZER, "tokenizer_config.json"),
    ),
    refused(
        "tokenizer broken", "cannot be read", TOKENIZER, cut(TOKENIZER, lambda size: size // 2)
    ),
    refused("tokenizer a list", "does not hold a JSON object", TOKENIZER, written(TOKENIZER, "[]")),
    refused("tokenizer not UTF-8", "cannot be read", TOKENIZER, written(TOKENIZER, GARBAGE)),
    refused(
        "tokenizer without a model",
        "cannot be loaded",
        "Fetch",
        table(TOKENIZER, "model", value=None),
    ),
    refused(
        "added tokens null",
        "lists its tokens in an unknown form",
        TOKENIZER,
        table(TOKENIZER, "added_tokens", value=None),
    ),
    refused(
        "added tokens numbers",
        "lists its tokens in an unknown form",
        TOKENIZER,
        table(TOKENIZER, "added_tokens", value=[5]),
    ),
    refused(
        "tokenizer of another model",
        "of different checkpoints",
        "token for videos",
        written(
            TOKENIZER,
            json.dumps(
                {
                    "version": "1.0",
                    "added_tokens": [],
                    "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
                }
            ),
        ),
    ),
    refused(
        "another token for video",
        "of different checkpoints",
        "config.json",
        table(CONFIG, "video_token_id", value=3),
    ),
    refused(
        "tokens without rows",
        "of different checkpoints",
        "vocab_size",
        all_of(
            table(CONFIG, "text_config", "vocab_size", value=300),
            weights(
                lambda tensors: {
                    k: v[:300] if k == HEAD or "embed_tokens" in k else v
                    for k, v in tensors.items()
                }
            ),
        ),
    ),
    refused("no processor", "has no processor's file", "Fetch", removed("processor_config.json")),
    refused(
        "processor broken",
        "cannot be read",
        "processor_config.json",
        cut("processor_config.json", lambda size: size // 2),
    ),
    refused(
        "old name of the image processor",
        'image_processor_type "Qwen2_5_VLImageProcessor"',
        "Qwen2VLImageProcessor",
        image_processor("Qwen2_5_VLImageProcessor"),
    ),
    refused(
        "unknown image processor",
        'image_processor_type "Qwen9ImageProcessor"',
        "correct it",
        image_processor("Qwen9ImageProcessor"),
    ),
    refused(
        "patches of text",
        "processor cannot be loaded",
        "Fetch",
        table("processor_config.json", "video_processor", "patch_size", value="x"),
    ),
    refused(
        "patches of another size",
        "patch_size",
        "of different checkpoints",
        table("processor_config.json", "video_processor", "patch_size", value=7),
    ),
    refused(
        "merged otherwise",
        "merge_size",
        "of different checkpoints",
        table("processor_config.json", "video_processor", "merge_size", value=1),
    ),
    refused(
        "colours of another number",
        "processor cannot be loaded",
        "Fetch",
        table("processor_config.json", "video_processor", "image_mean", value=[0.5, 0.5]),
    ),
    refused("no template", "has no chat template", TEMPLATE, removed(TEMPLATE)),
    refused("template not UTF-8", "cannot be read", TEMPLATE, written(TEMPLATE, GARBAGE)),
    refused(
        "template with an error",
        "cannot be rendered",
        "template",
        written(TEMPLATE, "{% for x in %}"),
    ),
    refused(
        "template that raises",
        "cannot be rendered",
        "no videos",
        written(TEMPLATE, "{{ raise_exception('no videos') }}"),
    ),
    refused(
        "template without video",
        "does not give one",
        "<|video_pad|>",
        written(TEMPLATE, "{{ messages[0].content[1].text }}"),
    ),
    refused(
        "template with two videos",
        "does not give one",
        "<|video_pad|>",
        written(TEMPLATE, 2 * VIDEO_TURN + "{{ messages[0].content[1].text }}"),
    ),
    refused(
        "template's table not UTF-8",
        "cannot be read",
        "chat_template.json",
        all_of(removed(TEMPLATE), written("chat_template.json", GARBAGE)),
    ),
    refused(
        "error in a template's table",
        "cannot be rendered",
        "template",
        template_in("tokenizer_config.json", "{% if %}"),
    ),
    # configurations
    refused("config broken", "cannot be read", CONFIG, cut(CONFIG, lambda size: size // 2)),
    refused("config a list", "does not hold a JSON object", CONFIG, written(CONFIG, "[]")),
    refused("config deep", "cannot be read", CONFIG, written(CONFIG, "[" * 100_000)),
    refused(
        "vision_config a number",
        "vision_config is 5",
        "Fetch",
        table(CONFIG, "vision_config", value=5),
    ),
    refused(
        "patch_size text",
        "vision_config.patch_size is 'x'",
        "number",
        table(CONFIG, "vision_config", "patch_size", value="x"),
    ),
    refused(
        "patch_size zero",
        "vision_config.patch_size is 0",
        "number",
        table(CONFIG, "vision_config", "patch_size", value=0),
    ),
    refused(
        "text_config a number",
        "config.json cannot be read",
        "Fetch",
        table(CONFIG, "text_config", value=5),
    ),
    refused(
        "hidden_size text",
        "cannot be",
        "Fetch",
        table(CONFIG, "text_config", "hidden_size", value="x"),
    ),
    refused(
        "hidden_size negative",
        "cannot be",
        "Fetch",
        table(CONFIG, "text_config", "hidden_size", value=-64),
    ),
    refused(
        "heads zero",
        "cannot be",
        "Fetch",
        table(CONFIG, "text_config", "num_attention_heads", value=0),
    ),
    refused(
        "unknown model_type",
        "config.json cannot be read",
        "update transformers",
        table(CONFIG, "model_type", value="qwen99"),
    ),
    refused(
        "model_type a number",
        "config.json cannot be read",
        "Fetch",
        table(CONFIG, "model_type", value=5),
    ),
    refused(
        "another family's model_type",
        WRONG,
        "missing",
        table(CONFIG, "model_type", value="qwen3_vl"),
    ),
    refused(
        "architecture not served",
        "No adapter serves",
        "Gpt2",
        table(CONFIG, "architectures", value=["Gpt2"]),
    ),
    refused(
        "architectures a number",
        "No adapter serves",
        "Supported",
        table(CONFIG, "architectures", value=5),
    ),
    refused(
        "settings broken", "cannot be read", GENERATION, cut(GENERATION, lambda size: size // 2)
    ),
    refused(
        "settings a list", "does not hold a JSON object", GENERATION, written(GENERATION, "[]")
    ),
    refused(
        "stop token text", "eos_token_id", GENERATION, table(GENERATION, "eos_token_id", value="x")
    ),
    refused(
        "stop tokens nested",
        "eos_token_id",
        GENERATION,
        table(GENERATION, "eos_token_id", value=[[1]]),
    ),
    refused(
        "temperature text", "temperature", GENERATION, table(GENERATION, "temperature", value="hot")
    ),
    # a model that diverged in training
    diverged("NaN in one layer", filled("layers.1.mlp.down_proj", math.nan)),
    diverged("NaN everywhere", filled("", math.nan)),
    diverged("NaN in the vision tower", filled("visual.blocks.0.attn.proj", math.nan)),
    diverged("infinite head", filled("lm_head", 3e38)),
    diverged("infinite norm", filled("model.norm", math.inf)),
    diverged("infinite Qwen3", filled("lm_head", 3e38), family="qwen3_vl"),
    # what must run
    runs("unchanged", lambda folder: None),
    runs("unchanged Qwen3", lambda folder: None, family="qwen3_vl"),
    runs("two files and an index", sharded),
    runs("names of the model in memory", renamed(modern_name)),
    runs("a buffer that is computed", added("model.layers.0.self_attn.rotary_emb.inv_freq", 16)),
    runs(
        "weights behind a link",
        linked,
    ),
    runs("template in tokenizer_config.json", template_in("tokenizer_config.json")),
    runs("template in chat_template.json", template_in("chat_template.json")),
    runs("two processor files", separate_processor_files),
    runs("present name of the image processor", image_processor("Qwen2VLImageProcessor")),
    runs(
        "other files beside",
        all_of(written("training_args.bin", GARBAGE), written("README.md", "about")),
    ),
)
REFUSED = tuple(case for case in CASES if case.outcome not in (RIGHT_VALUE, NON_FINITE))
DIVERGED = tuple(case for case in CASES if case.outcome == NON_FINITE)
RUNS = tuple(case for case in CASES if case.outcome == RIGHT_VALUE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunSetup]:
    return {
        family: make_setup(family, tmp_path_factory.mktemp(family))
        for family in ("qwen2_5_vl", "qwen3_vl")
    }


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    folder = root / "charades_sta"
    (folder / "videos").mkdir(parents=True)
    (folder / "Charades_v1_test.csv").write_text("id,length\nA0001,10.0\n")
    (folder / "charades_sta_test.txt").write_text("A0001 1.0 4.0##a person opens a door\n")
    (folder / "videos" / "A0001.mp4").write_bytes(b"no video")
    return root


def broken(case: Broken, whole: dict[str, RunSetup], folder: Path) -> Path:
    """Return the case's folder: links to the files of the whole checkpoint, then changed."""
    target = folder / "checkpoint"
    target.mkdir()
    for file in whole[case.family].folder.iterdir():
        os.link(file, target / file.name)
    case.change(target)
    return target


def names(case: Broken) -> str:
    return case.name.replace(" ", "-")


@pytest.mark.parametrize("case", REFUSED, ids=names)
def test_it_is_refused_in_one_line_before_a_video_is_read(
    case: Broken,
    whole: dict[str, RunSetup],
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    folder = broken(case, whole, tmp_path)
    messages = []
    for extra in ([], ["--plan"]) if case in REFUSED[::8] else ([],):
        code = main(
            [
                *("--model", str(folder), "--tasks", "charades_sta"),
                *("--data-root", str(data_root), "--engine", "transformers"),
                *("--out", str(tmp_path / "run"), *extra),
            ]
        )
        out, err = capfd.readouterr()
        assert (code, out) == (2, "")
        messages.append(err)
    message = messages[0]
    assert set(messages) == {message}
    assert message.startswith("vtg-eval: ")
    assert message.count("\n") == 1
    assert case.outcome in message
    assert case.says in message
    assert "above" not in message.replace("a number above 0", "")  # no report that was hidden
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("case", RUNS, ids=names)
def test_it_answers_as_the_whole_checkpoint_does(
    case: Broken, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    setup = whole[case.family]
    folder = broken(case, whole, tmp_path)
    assert answer(folder, setup) == answer(setup.folder, setup)


@pytest.mark.parametrize(
    ("case", "decoding"),
    [
        *((case, "greedy") for case in DIVERGED),
        (DIVERGED[0], "sample"),
        (DIVERGED[0], "checkpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else names(value),
)
def test_logits_that_are_not_finite_are_no_answer(
    case: Broken, decoding: Any, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    setup = whole[case.family]
    rule = GenerationRule(max_new_tokens=4, decoding=decoding, temperature=1.0)
    engine = TransformersEngine(broken(case, whole, tmp_path), rule, EngineOptions())
    for completion in engine.generate(setup.requests[:3]):
        assert (completion.finish, completion.text) == (Finish.NON_FINITE, "")
        assert "the logits of token 1 of the answer are NaN" in (completion.error or "")


@pytest.mark.engine
@pytest.mark.xdist_group("engines")
def test_both_engines_notice_the_same_samples(whole: dict[str, RunSetup], tmp_path: Path) -> None:
    """NaN in the embedding of a token that one of four queries has, next to sound ones."""
    from vtg_eval.engines.vllm import VllmEngine

    setup = whole["qwen3_vl"]
    requests = setup.requests[:4]
    tokenizer = load_processor(setup.folder).tokenizer
    texts = [set(tokenizer(request.prompt)["input_ids"]) for request in requests]
    only = min(texts[2] - texts[0] - texts[1] - texts[3])

    def rule(tensors: Weights) -> Weights:
        tensors["model.language_model.embed_tokens.weight"][only] = math.nan
        return tensors

    folder = broken(diverged("NaN in one token", weights(rule), "qwen3_vl"), whole, tmp_path)
    sound = finishes(TransformersEngine(setup.folder, RULE, EngineOptions()), requests)
    for make in (TransformersEngine, VllmEngine):
        engine: Engine = make(folder, RULE, EngineOptions())
        completions = finishes(engine, requests)
        engine.close()
        assert completions.pop(requests[2].sample_id).finish is Finish.NON_FINITE
        assert completions == {
            r.sample_id: sound[r.sample_id] for r in requests if r is not requests[2]
        }


def finishes(engine: Engine, requests: Sequence[Request]) -> dict[str, Completion]:
    return {completion.sample_id: completion for completion in engine.generate(requests)}


@pytest.mark.parametrize("head", [None, lambda embedding: embedding], ids=["left out", "saved too"])
def test_a_head_that_is_tied_may_be_saved_or_not(
    head: Any, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    case = runs("tied", tied(head))
    model = load_model(broken(case, whole, tmp_path), torch.float32)
    assert torch.equal(model.lm_head.weight, model.get_input_embeddings().weight)
    check(tmp_path / "checkpoint")


def check(folder: Path) -> None:
    TransformersEngine.check(folder, EngineOptions(), partial(probe_request, make_adapter(folder)))


def test_quantised_weights_are_known_by_their_modules(
    whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    case = runs("quantised", quantised)
    folder = broken(case, whole, tmp_path)
    check(folder)
    without("layers.1.mlp.up_proj")(folder)
    with pytest.raises(UserError, match=r"1 missing \(model.language_model.layers.1.mlp.up_proj"):
        check(folder)


def answer(folder: Path, setup: RunSetup) -> Completion:
    check(folder)
    engine = TransformersEngine(folder, RULE, EngineOptions())
    (completion,) = engine.generate(setup.requests[:1])
    return completion


@pytest.mark.parametrize("case", REFUSED[:12], ids=names)
def test_training_refuses_the_same_weights(
    case: Broken, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=WRONG):
        load_model(broken(case, whole, tmp_path), torch.float32)
