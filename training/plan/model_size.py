"""The size of a model by its config.json: parameters and layers; no weights are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vtg_eval.checkpoint.hub import CONFIG_FILE
from vtg_eval.checkpoint.resolve import resolve_whole
from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.json_files import checkpoint_table
from vtg_eval.registry import Registry

Config = Mapping[str, Any]
TEMPORAL_PATCH, CHANNELS = 2, 3
STAMP = 9  # tokens of "<12.5 seconds>" and of the two markers around a frame pair, in Qwen3-VL


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The figures of a model that plans are computed from.

    layers, hidden, kv_width (kv heads x their size), intermediate, vocabulary: of the language
    model; layer: parameters of one of its layers. factor: side of one visual token, in px. stamp:
    text tokens for each frame pair. adapted: sum of inputs and outputs over the projections of
    all layers; a LoRA adapter of rank r has r parameters for each of them.
    """

    layers: int
    layer: int
    hidden: int
    kv_width: int
    intermediate: int
    vocabulary: int
    language: int
    vision: int
    vision_layers: int
    vision_hidden: int
    vision_intermediate: int
    factor: int
    merge: int
    stamp: int
    adapted: int

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.language + self.vision


def _published(architecture: str, text: Config, vision: Config) -> Config:
    return MappingProxyType(
        {"architectures": [architecture], "text_config": text, "vision_config": vision}
    )


_QWEN2_5, _QWEN3 = "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration"
_QWEN2_5_TOWER = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "patch_size": 14}

# From the config.json of each checkpoint on the Hugging Face hub, under Qwen/. The numbers are
# checked by their sums, which are the hub's "model size" of each checkpoint:
# 3,754,622,976; 8,292,166,656; 4,437,815,808; 8,767,123,696 parameters.
PUBLISHED: Mapping[str, Config] = MappingProxyType(
    {
        "Qwen2.5-VL-3B-Instruct": _published(
            _QWEN2_5,
            {
                "hidden_size": 2048,
                "num_hidden_layers": 36,
                "num_attention_heads": 16,
                "num_key_value_heads": 2,
                "intermediate_size": 11008,
                "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
            {**_QWEN2_5_TOWER, "out_hidden_size": 2048},
        ),
        "Qwen2.5-VL-7B-Instruct": _published(
            _QWEN2_5,
            {
                "hidden_size": 3584,
                "num_hidden_layers": 28,
                "num_attention_heads": 28,
                "num_key_value_heads": 4,
                "intermediate_size": 18944,
                "vocab_size": 152064,
                "tie_word_embeddings": False,
            },
            {**_QWEN2_5_TOWER, "out_hidden_size": 3584},
        ),
        "Qwen3-VL-4B-Instruct": _published(
            _QWEN3,
            {
                "hidden_size": 2560,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "intermediate_size": 9728,
                "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
            {
                "depth": 24,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "patch_size": 16,
                "out_hidden_size": 2560,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": [5, 11, 17],
            },
        ),
        "Qwen3-VL-8B-Instruct": _published(
            _QWEN3,
            {
                "hidden_size": 4096,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "intermediate_size": 12288,
                "vocab_size": 151936,
                "tie_word_embeddings": False,
            },
            {
                "depth": 27,
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "patch_size": 16,
                "out_hidden_size": 4096,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": [8, 16, 24],
            },
        ),
    }
)

# fine-tunes of all weights that recipes start from: of the size of their base
FINE_TUNES: Mapping[str, str] = MappingProxyType({"TVG_Coldstart": "Qwen2.5-VL-7B-Instruct"})


def checkpoint_folder(reference: str, registry: Registry) -> Path | None:
    """Return the folder of a local or shipped checkpoint, None for one that is not local."""
    if reference in registry.models or Path(reference).expanduser().exists():
        return resolve_whole(reference, registry)[0].path
    return None


def model_size(reference: str, folder: Path | None) -> ModelSize:
    """Return the size of the checkpoint in a folder, else of a published one of that (last) name.

    Raises UserError for an unknown name, and for a config.json of another family.
    """
    name = FINE_TUNES.get(Path(reference).name, Path(reference).name)
    if folder is not None:
        return size_of(checkpoint_table(folder / CONFIG_FILE))
    if name not in PUBLISHED:
        raise UserError(
            f'There is no checkpoint "{reference}" on this machine, and its size is not known: '
            f"fetch it first. {suggestion(name, PUBLISHED)}"
        )
    return size_of(PUBLISHED[name])


def size_of(config: Config) -> ModelSize:
    """Return the size that a config.json describes; raises UserError for an unknown family."""
    architecture = (config.get("architectures") or [""])[0]
    towers = {_QWEN2_5: (_vision_2_5, True, 0), _QWEN3: (_vision_3, False, STAMP)}
    if architecture not in towers:
        raise UserError(
            f"The size of the architecture {architecture or '(none named)'} is not known. "
            f"Known: {', '.join(towers)}."
        )
    tower, qkv_bias, stamp = towers[architecture]
    text = config.get("text_config") or config  # older files of Qwen2.5-VL have it at the top
    try:
        return _size(text, config["vision_config"], config, tower, qkv_bias, stamp)
    except (KeyError, TypeError) as exc:
        raise UserError(f"The model's config.json does not have {exc}.") from exc


def _size(
    text: Config,
    vision: Config,
    config: Config,
    tower: Callable[[Config], int],
    qkv_bias: bool,
    stamp: int,
) -> ModelSize:
    hidden, layers, inner = (
        text["hidden_size"],
        text["num_hidden_layers"],
        text["intermediate_size"],
    )
    head = text.get("head_dim") or hidden // text["num_attention_heads"]
    queries, keys = text["num_attention_heads"] * head, text["num_key_value_heads"] * head
    layer = hidden * (2 * queries + 2 * keys + 3 * inner + 2)
    # Qwen2.5-VL has biases on queries, keys and values, Qwen3-VL norms on queries and keys
    layer += queries + 2 * keys if qkv_bias else 2 * head
    embeddings = text["vocab_size"] * hidden
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))
    merge = vision.get("spatial_merge_size", 2)
    return ModelSize(
        layers=layers,
        layer=layer,
        hidden=hidden,
        kv_width=keys,
        intermediate=inner,
        vocabulary=text["vocab_size"],
        language=layers * layer + hidden + embeddings * (1 if tied else 2),
        vision=tower(vision),
        vision_layers=vision["depth"],
        vision_hidden=vision["hidden_size"],
        vision_intermediate=vision["intermediate_size"],
        factor=vision["patch_size"] * merge,
        merge=merge,
        stamp=stamp,
        adapted=layers * (2 * (hidden + queries) + 2 * (hidden + keys) + 3 * (hidden + inner)),
    )


def _patch(vision: Config) -> int:
    return CHANNELS * TEMPORAL_PATCH * int(vision["patch_size"]) ** 2 * int(vision["hidden_size"])


def _merger(vision: Config) -> int:
    """Return the two linear layers that make one token of merged patches."""
    wide = int(vision["hidden_size"]) * int(vision.get("spatial_merge_size", 2)) ** 2
    return wide * wide + wide + (wide + 1) * int(vision["out_hidden_size"])


def _vision_2_5(vision: Config) -> int:
    hidden, inner = vision["hidden_size"], vision["intermediate_size"]
    attention = 4 * hidden * hidden + 4 * hidden
    block = 2 * hidden + attention + 3 * hidden * inner + 2 * inner + hidden
    return int(_patch(vision) + vision["depth"] * block + hidden + _merger(vision))


def _vision_3(vision: Config) -> int:
    hidden, inner = vision["hidden_size"], vision["intermediate_size"]
    attention = 4 * hidden * hidden + 4 * hidden
    block = 4 * hidden + attention + 2 * hidden * inner + inner + hidden
    stem = _patch(vision) + hidden + vision["num_position_embeddings"] * hidden
    wide = hidden * vision.get("spatial_merge_size", 2) ** 2
    deep = len(vision["deepstack_visual_indexes"]) * (2 * wide + _merger(vision))
    return int(stem + vision["depth"] * block + 2 * hidden + _merger(vision) + deep)
