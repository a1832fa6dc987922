"""How much memory training takes on one device, by arithmetic, in GiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..recipe import Recipe
from .model_size import ModelSize

GIB = 2**30
FULL, HALF = 4, 2  # bytes of a number
ADAM = 2 * FULL  # AdamW keeps two numbers for each weight that learns (Kingma and Ba, 2015)
# kept of one layer while it is recomputed: the inputs and outputs of norms, attention and
# projections, and of the gate, the value beside it, its activation and their product
BLOCK_HIDDEN, BLOCK_INNER = 8, 4

Memory = Mapping[str, float]


class Sharding(NamedTuple):
    """What is divided among the devices. copy: bytes of each weight's second, shorter copy."""

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


class BatchLoad(NamedTuple):
    """What a device works on at once: sequences of so many tokens, of which some are visual.

    scored: tokens of each whose logits are kept.
    """

    sequences: int
    tokens: int
    visual: int
    scored: int


def sft_memory(size: ModelSize, recipe: Recipe, load: BatchLoad, sharding: Sharding) -> Memory:
    """Return GiB on each device in supervised fine-tuning, by what takes it."""
    found = {**_weights(size, recipe, sharding), **_activations(size, recipe, load)}
    return {name: value / GIB for name, value in found.items()}


def rl_memory(size: ModelSize, recipe: Recipe, load: BatchLoad, sharding: Sharding) -> Memory:
    """Return GiB on each device in RL: training, and the answers of one group."""
    found = {**_weights(size, recipe, sharding), **_activations(size, recipe, load)}
    rule = recipe.rl
    if rule is not None:
        cache = 2 * size.layers * size.kv_width * _width(recipe)
        found["key-value cache"] = float(cache * rule.group * load.tokens)
        if rule.beta and recipe.model.train == "all":
            whole = float(_width(recipe) * size.parameters)
            found["reference model"] = whole / (sharding.devices if sharding.weights else 1)
    return {name: value / GIB for name, value in found.items()}


def learning(size: ModelSize, recipe: Recipe) -> int:
    """Return how many weights learn."""
    if recipe.model.train == "lora":
        return recipe.model.lora_rank * size.adapted
    return size.language + (0 if recipe.model.freeze_vision else size.vision)


def _weights(size: ModelSize, recipe: Recipe, sharding: Sharding) -> dict[str, float]:
    """Return bytes of weights, gradients and states. What learns is in float32."""
    count = learning(size, recipe)
    lora = recipe.model.train == "lora"
    frozen = size.parameters - (0 if lora else count)
    still = _width(recipe) if lora or sharding.copy else FULL
    own = sharding.devices if sharding.weights else 1
    states = sharding.devices if sharding.states else 1
    # with a copy in half precision the full weights belong to the optimiser and are divided so
    held = sharding.copy * count / own + FULL * count / states if sharding.copy else 0.0
    found = {
        "weights": (held or FULL * count / own) + still * frozen / own,
        "gradients": FULL * count / states,
        "AdamW": ADAM * count / states,
    }
    if sharding.weights:
        # the embeddings stay gathered beside the layer in work and the next one
        outside = size.language - size.layers * size.layer
        found["gathered weights"] = float(HALF * (outside + 2 * size.layer))
    return found


def _activations(size: ModelSize, recipe: Recipe, load: BatchLoad) -> dict[str, float]:
    """Return bytes of what is kept for the backward pass.

    With recomputation each layer's input, and all of one layer while it is recomputed (Chen et
    al., Training Deep Nets with Sublinear Memory Cost, 2016); without it all of every layer.
    Logits are kept in float32 with their gradient, and once in the width of the model's
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
