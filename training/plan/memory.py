"""Estimate of the memory that training takes on one device, in GiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..recipe import Recipe
from .model_size import ModelSize

GIB = 2**30
FULL, HALF = 4, 2  # bytes of a float32 and of a bfloat16
ADAM = 2 * FULL  # AdamW keeps two numbers for each trained weight (Kingma and Ba, 2015)
# activations of one layer while it is recomputed, in multiples of the hidden size (inputs and
# outputs of norms, attention and projections) and of the inner size (gate, value, activation,
# product)
BLOCK_HIDDEN, BLOCK_INNER = 8, 4

Memory = Mapping[str, float]


class Sharding(NamedTuple):
    """What is divided among the devices. copy: bytes of a second copy of each weight, if any."""

    weights: bool = False
    states: bool = False
    copy: int = 0
    devices: int = 1


# ZeRO's stages are those of Rajbhandari et al., ZeRO, 2020, section 5; FSDP2 divides as stage 3.
SHARDING: Mapping[str, Sharding] = {
    "single": Sharding(),
    "cpu2": Sharding(),
    "zero2": Sharding(states=True, copy=HALF),
    "zero3": Sharding(weights=True, states=True, copy=HALF),
    "fsdp2": Sharding(weights=True, states=True),
}
# those that the extra deepspeed is for
ZERO = frozenset({"zero2", "zero3"})


class BatchLoad(NamedTuple):
    """One batch on a device. tokens, visual: of each sequence, all and the visual ones.

    scored: tokens of each sequence whose logits are kept.
    """

    sequences: int
    tokens: int
    visual: int
    scored: int


def sft_memory(size: ModelSize, recipe: Recipe, load: BatchLoad, sharding: Sharding) -> Memory:
    """Return GiB on each device in supervised fine-tuning, by use."""
    sizes = {**_weights(size, recipe, sharding), **_activations(size, recipe, load)}
    return {name: value / GIB for name, value in sizes.items()}


def rl_memory(size: ModelSize, recipe: Recipe, load: BatchLoad, sharding: Sharding) -> Memory:
    """Return GiB on each device in RL, by use: training, and generation for one group."""
    sizes = {**_weights(size, recipe, sharding), **_activations(size, recipe, load)}
    rule = recipe.rl
    if rule is not None:
        cache = 2 * size.layers * size.kv_width * _width(recipe)
        sizes["key-value cache"] = float(cache * rule.group * load.tokens)
        if rule.rollouts == "vllm-colocate":  # a copy that is not divided
            sizes["vLLM's weights"] = float(_width(recipe) * size.parameters)
        if rule.beta and recipe.model.train == "all":
            whole = float(_width(recipe) * size.parameters)
            sizes["reference model"] = whole / (sharding.devices if sharding.weights else 1)
    return {name: value / GIB for name, value in sizes.items()}


def trained_weights(size: ModelSize, recipe: Recipe) -> int:
    """Return the number of trained weights."""
    if recipe.model.train == "lora":
        return recipe.model.lora_rank * size.adapted
    return size.language + (0 if recipe.model.freeze_vision else size.vision)


def _weights(size: ModelSize, recipe: Recipe, sharding: Sharding) -> dict[str, float]:
    """Return bytes of weights, gradients and optimiser states. Trained weights are float32."""
    count = trained_weights(size, recipe)
    lora = recipe.model.train == "lora"
    frozen = size.parameters - (0 if lora else count)
    frozen_width = _width(recipe) if lora or sharding.copy else FULL
    weight_shards = sharding.devices if sharding.weights else 1
    state_shards = sharding.devices if sharding.states else 1
    trained = FULL * count / weight_shards
    if sharding.copy:  # the float32 weights then belong to the optimiser and are divided like it
        trained = sharding.copy * count / weight_shards + FULL * count / state_shards
    sizes = {
        "weights": trained + frozen_width * frozen / weight_shards,
        "gradients": FULL * count / state_shards,
        "AdamW": ADAM * count / state_shards,
    }
    if sharding.weights:
        # the embeddings stay gathered, besides the current layer and the next one
        outside = size.language - size.layers * size.layer
        sizes["gathered weights"] = float(HALF * (outside + 2 * size.layer))
    return sizes


def _activations(size: ModelSize, recipe: Recipe, load: BatchLoad) -> dict[str, float]:
    """Return bytes of the activations that are kept for the backward pass.

    With recomputation these are each layer's input and all activations of one layer (Chen et al.,
    Training Deep Nets with Sublinear Memory Cost, 2016), without it all activations of all layers.
    Logits and their gradient are kept in float32, and the logits once more in the dtype of the
    computation.
    """
    width = _width(recipe)
    rows = load.sequences * load.tokens
    block = _block(size.hidden, size.intermediate)
    layers = size.layers
    language = rows * (layers * size.hidden + block if recipe.model.recompute else layers * block)
    patches = load.sequences * load.visual * size.merge**2
    kept = 0 if recipe.model.freeze_vision else size.vision_layers * size.vision_hidden
    vision = patches * (kept + _block(size.vision_hidden, size.vision_intermediate))
    logits = load.sequences * load.scored * size.vocabulary
    return {
        "activations": float(width * language),
        "vision activations": float(width * vision),
        "logits": float((2 * FULL + width) * logits),
    }


def _block(hidden: int, inner: int) -> int:
    return BLOCK_HIDDEN * hidden + BLOCK_INNER * inner


def _width(recipe: Recipe) -> int:
    return HALF if recipe.model.dtype == "bfloat16" else FULL
