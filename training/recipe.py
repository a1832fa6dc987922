"""A training recipe: one TOML file, each stage a table, every value named and checked.

The dataclasses below are the schema, ranges of numbers included. A stage whose table is absent is
not run. An unknown key is refused with the nearest one, a value out of range with what it must be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml

# what the numbers of a recipe may be
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Temperature = Annotated[float, Meta(ge=1e-3, le=10)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Steps = Annotated[int, Meta(ge=1, le=10**7)]
BatchSize = Annotated[int, Meta(ge=1, le=10**6)]
GroupSize = Annotated[int, Meta(ge=2, le=256)]
AnswerTokens = Annotated[int, Meta(ge=1, le=32768)]
Bounds = tuple[NonNegative, NonNegative]  # of a window, the lower one first


@dataclass(frozen=True, slots=True)
class ModelRule:
    """Which checkpoint is trained, and which of its parts.

    train: "all" weights, or "lora" adapters of rank `lora_rank` on the language model.
    freeze_vision: leave the vision tower as it is. protocol: frames, prompt and answer's form
    are this protocol's, so that the model sees in training what it sees in evaluation.
    recompute: in the backward pass compute each layer again (gradient checkpointing): a third
    more work, a small part of the memory.
    """

    checkpoint: str
    protocol: str = "strict@1"
    train: Literal["all", "lora"] = "all"
    lora_rank: Annotated[int, Meta(ge=1, le=4096)] = 64
    freeze_vision: bool = True
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    recompute: bool = True


@dataclass(frozen=True, slots=True)
class DataRule:
    """Files of training samples (JSON lines) and the share of missing videos that is let pass.

    train: also "task:NAME:SPLIT[:COUNT]", the (first) samples of a task's split; without `videos`.
    label_noise: the share of all labels that is replaced by other moments of the same videos, to
    study what wrong labels do.
    leaks: what to do about videos or queries of an evaluation split.
    """

    train: tuple[str, ...]
    videos: str = ""
    missing_share: Share = 0.0
    leaks: Literal["refuse", "drop", "keep"] = "refuse"
    label_noise: Share = 0.0


@dataclass(frozen=True, slots=True)
class CurationRule:
    """Which cold-start samples are kept (lengths in seconds).

    reasoning_iou: the span in the reasoning text must have this IoU with the label (0: any).
    """

    reasoning_iou: Share = 0.0
    format: Literal["any", "think-answer", "think-time"] = "any"
    moment_seconds: Bounds = (0.0, 1e9)
    video_seconds: Bounds = (0.0, 1e9)
    moment_share: tuple[Share, Share] = (0.0, 1.0)
    duplicates: bool = True


@dataclass(frozen=True, slots=True)
class SftRule:
    """Supervised fine-tuning. batch: samples in one step over all devices.

    quantum: write the labels' times as multiples of so many seconds, as of the time between two
    frames, for nothing finer can be seen (0: tenths).
    """

    steps: Steps
    batch: BatchSize = 128
    device_batch: BatchSize = 1
    learning_rate: NonNegative = 1e-5
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.03
    weight_decay: NonNegative = 0.0
    max_grad_norm: NonNegative = 1.0
    reasoning: bool = False
    quantum: NonNegative = 0.0
    save_steps: Count = 100
    seed: Count = 0


@dataclass(frozen=True, slots=True)
class DifficultyRule:
    """How the start checkpoint is probed: `rollouts` answers to each of the first `limit` samples
    (0: all), and RL sees no others. engine: of vtg-eval; empty: its default.
    """

    rollouts: GroupSize = 8
    temperature: Temperature = 1.0
    max_new_tokens: AnswerTokens = 256
    limit: Count = 0
    engine: str = ""


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Which samples RL sees. size: how many (0: all that remain).

    method: "all"; "gaussian": a Gaussian window over the mean IoU (mean, deviation), corrected
    for how many samples have that IoU; "inverse": weights (1 - mean IoU) ** power.
    drop_constant: leave out samples whose rollouts all have the same reward. mean_iou: the
    window that is let in at all. curriculum: easy first.
    """

    method: Literal["all", "gaussian", "inverse"] = "all"
    mean: Share = 0.3
    deviation: Annotated[float, Meta(ge=1e-3, le=1)] = 0.2
    power: NonNegative = 2.0
    mean_iou: tuple[Share, Share] = (0.0, 1.0)
    drop_constant: bool = False
    curriculum: bool = False
    size: Count = 0
    seed: Count = 0


@dataclass(frozen=True, slots=True)
class RewardRule:
    """Weights of the rewards, 0 where one is not used (see `rewards`)."""

    tiou: NonNegative = 0.0
    boundary: NonNegative = 0.0
    wasserstein: NonNegative = 0.0
    set_iou: NonNegative = 0.0
    choice: NonNegative = 0.0
    format: NonNegative = 0.0
    parse_penalty: NonNegative = 0.0
    answer_format: Literal["any", "think-answer", "think-time"] = "any"


@dataclass(frozen=True, slots=True)
class RlRule:
    """Group relative policy optimisation.

    prompts: distinct prompts in one step over all devices; each gets `group` answers.
    share_prompt: score a group's answers behind one copy of their prompt: the same figures for a
    fraction of the work; needs attention that takes a mask (not flash attention).
    plateau: stop when neither the mean reward nor its deviation within groups has improved for
    so many steps (0: never).
    """

    steps: Steps
    prompts: BatchSize = 8
    group: GroupSize = 8
    device_batch: BatchSize = 8
    learning_rate: NonNegative = 1e-6
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    warmup: Share = 0.0
    weight_decay: NonNegative = 0.0
    max_grad_norm: NonNegative = 1.0
    beta: NonNegative = 0.0
    temperature: Temperature = 1.0
    max_new_tokens: AnswerTokens = 256
    loss: Literal["grpo", "dr_grpo", "bnpo", "dapo"] = "bnpo"
    scale_rewards: Literal["group", "batch", "none"] = "none"
    importance: Literal["token", "sequence"] = "token"
    entropy: NonNegative = 0.0
    rollouts: Literal["transformers", "vllm-colocate", "vllm-server"] = "transformers"
    share_prompt: bool = False
    plateau: Count = 0
    save_steps: Count = 50
    seed: Count = 0


@dataclass(frozen=True, slots=True)
class EvaluationRule:
    """What is scored when training is done: the first `limit` samples (0: all) of each task, under
    the protocol (empty: the model's). tasks: names, or NAME:SPLIT for another split than the
    task's own choice. engine: of vtg-eval; empty: its default. start: also score the checkpoint
    that training starts from.
    """

    tasks: tuple[str, ...] = ()
    protocol: str = ""
    limit: Count = 0
    engine: str = ""
    start: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe; `source` says where it comes from, `ours` which values are our choice."""

    name: str
    summary: str
    source: str
    model: ModelRule
    data: DataRule
    curation: CurationRule | None = None
    sft: SftRule | None = None
    difficulty: DifficultyRule | None = None
    selection: SelectionRule | None = None
    rewards: RewardRule | None = None
    rl: RlRule | None = None
    evaluation: EvaluationRule | None = None
    ours: tuple[str, ...] = field(default=())


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raises UserError that names the file, the key and what it must be."""
    return load_toml(path, "a recipe", make_recipe)


def make_recipe(table: Mapping[str, Any]) -> Recipe:
    """Return a recipe from TOML's tables; raises UserError that names the key."""
    recipe = converted(table, Recipe)
    _check(recipe)
    return recipe


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as a TOML file, every value spelt out."""
    lines: list[str] = []
    for name, value in asdict(recipe).items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in value.items())]
        elif value:
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _check(recipe: Recipe) -> None:
    """Raise UserError for tables that do not go together."""
    if recipe.rl is not None and recipe.rewards is None:
        raise UserError("[rl] needs a table [rewards].")
    if recipe.rewards is not None and not any(_numbers(recipe.rewards)):
        raise UserError("[rewards] needs a weight above 0.")
    if not recipe.data.train:
        raise UserError("data.train is empty; name a file of training samples.")
    for stage, rule in (("curation", recipe.curation), ("selection", recipe.selection)):
        for name, window in asdict(rule).items() if rule else ():
            if isinstance(window, tuple) and window[0] > window[1]:
                raise UserError(f"{stage}.{name} is {list(window)}; the lower one stands first")


def _numbers(rule: RewardRule) -> list[float]:
    return [value for value in astuple(rule) if isinstance(value, float)]
