"""Broken checkpoints, each with what must come of it."""

from __future__ import annotations

import json
import math
import shutil

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch

from tests.robustness.broken_checkpoints import (
    CONFIG,
    FIRST,
    GARBAGE,
    GENERATION,
    HEAD,
    INDEX,
    LAYER,
    LORA,
    MODEL,
    Q_PROJ,
    SECOND,
    TOKENIZER,
    adapter,
    added,
    all_of,
    cut,
    diverged,
    filled,
    first_weight_left_out,
    image_processor,
    index,
    linked,
    modern_name,
    moved_to_first,
    packed,
    refused,
    removed,
    renamed,
    runs,
    separate_processor_files,
    sharded,
    table,
    template_in,
    tied,
    twice,
    weights,
    without,
    written,
)

WRONG = "its weights are not those of the model"
DAMAGED = "is cut or damaged"
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
    refused("adapter beside weights", "holds an adapter", "which of the two to run", adapter),
    refused(
        "adapter's pickle beside weights",
        "holds an adapter",
        "Move one",
        written("adapter_model.bin", GARBAGE),
    ),
    refused(
        "adapter with config",
        "does not name its base model",
        "--base",
        all_of(adapter, removed(MODEL)),
    ),
    refused(
        "adapter alone",
        "does not name its base model",
        "--base",
        all_of(adapter, removed(MODEL, CONFIG)),
    ),
    refused(
        "adapter of a base on another machine",
        'on the base model "/models/base". There is no model',
        "--base",
        all_of(
            adapter,
            table(LORA, "base_model_name_or_path", value="/models/base"),
            removed(MODEL, CONFIG),
        ),
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
        "(none named)",
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
