"""A training recipe: one TOML file with a table for each stage; every value is checked.

The dataclasses below are the schema, including the ranges of numbers. A stage without a table is
not run. The error for an unknown key names the nearest key; the error for a value out of range
names the range.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml

# ranges of a recipe's numbers
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Temperature = Annotated[float, Meta(ge=1e-3, le=10)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Steps = Annotated[int, Meta(ge=1, le=10**7)]
BatchSize = Annotated[int, Meta(ge=1, le=10**6)]
GroupSize = Annotated[int, Meta(ge=2, le=256)]
AnswerTokens = Annotated[int, Meta(ge=1, le=32768)]
Bounds = tuple[NonNegative, NonNegative]  # of a window, the lower one first
Schedule = Literal["cosine", "linear", "constant"]
AnswerForm = Literal["any", "think-answer", "think-time"]  # see `data.answers.well_formed`
# marks a key that earlier versions did not have: `rule_record` leaves it out at its default
ADDED: Mapping[str, Any] = {"added": True}
AT_ONCE = 256  # answers that vLLM generates at a time in a process of RL, at most


@dataclass(frozen=True, slots=True)
class ModelRule:
    """The checkpoint to train, and which of its weights.

    train: "all" weights, or "lora" adapters of rank `lora_rank` on the language model.
    freeze_vision: do not train the vision tower. protocol: gives frames, prompt and form of the
    answer, so that the model sees in training what it sees in evaluation. recompute: gradient
    checkpointing: compute each layer again in the backward pass, which takes a third more work
    and a small part of the memory.
    """

    checkpoint: str
    protocol: str = "strict@2"
    train: Literal["all", "lora"] = "all"
    lora_rank: Annotated[int, Meta(ge=1, le=4096)] = 64
    freeze_vision: bool = True
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    recompute: bool = True


@dataclass(frozen=True, slots=True)
class DataRule:
    """Files of training samples (JSON lines), their videos, and what may be wrong with them.

    train: files, or one "task:NAME:SPLIT[:COUNT]", the (first) samples of a task's split, without
    `videos`. missing_share: how many samples may lack their video. leaks: what to do about
    samples on videos of an evaluation split; against: the tasks whose splits count (see
    `data.held_out`). label_noise: the share of labels that is replaced by other moments of the
    same videos, to study the effect of wrong labels.
    """

    train: tuple[str, ...]
    videos: str = ""
    missing_share: Share = 0.0
    leaks: Literal["refuse", "drop", "keep"] = "refuse"
    against: tuple[str, ...] = field(default=(), metadata=ADDED)
    label_noise: Share = 0.0


@dataclass(frozen=True, slots=True)
class CurationRule:
    """Which samples are kept (lengths in seconds); the first two filters are for the cold start.

    reasoning_iou: least IoU of the span in the reasoning text with the label (0: no filter).
    """

    reasoning_iou: Share = 0.0
    format: AnswerForm = "any"
    moment_seconds: Bounds = (0.0, 1e9)
    video_seconds: Bounds = (0.0, 1e9)
    moment_share: tuple[Share, Share] = (0.0, 1.0)
    duplicates: bool = True


@dataclass(frozen=True, slots=True)
class SftRule:
    """Supervised fine-tuning. batch: samples in one step over all devices.

    quantum: seconds; times in the answers are rounded to its multiples, for example to the time
    between two frames, because nothing finer can be seen (0: one decimal).
    """

    steps: Steps
    batch: BatchSize = 128
    device_batch: BatchSize = 1
    learning_rate: NonNegative = 1e-5
    schedule: Schedule = "cosine"
    warmup: Share = 0.03
    weight_decay: NonNegative = 0.0
    max_grad_norm: NonNegative = 1.0
    reasoning: bool = False
    quantum: NonNegative = 0.0
    save_steps: Count = 100
    seed: Count = 0


@dataclass(frozen=True, slots=True)
class DifficultyRule:
    """How difficulty is measured: `rollouts` answers of the checkpoint that RL starts from to each
    of the first `limit` samples (0: all); RL sees these samples only. engine: of vtg-eval; empty:
    its default.
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
    range of mean IoU outside which samples are left out. curriculum: easy samples first.
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
    """Weights of the rewards, 0 for a reward that is not used (see `trainers.rewards`)."""

    tiou: NonNegative = 0.0
    boundary: NonNegative = 0.0
    wasserstein: NonNegative = 0.0
    wasserstein_union: NonNegative = field(default=0.0, metadata=ADDED)
    set_iou: NonNegative = 0.0
    giou: NonNegative = field(default=0.0, metadata=ADDED)
    choice: NonNegative = 0.0
    format: NonNegative = 0.0
    parse_penalty: NonNegative = 0.0
    answer_format: AnswerForm = "any"


@dataclass(frozen=True, slots=True)
class RlRule:
    """Group relative policy optimisation.

    prompts: distinct prompts in one step over all devices; each gets `group` answers.
    share_prompt: score a group's answers behind one copy of their prompt, which gives the same
    figures with less work; needs attention that takes a mask (not flash attention).
    rollouts: what generates the answers: transformers; vLLM in the trainer's process; a vLLM
    server, which is refused until it can be given new weights.
    mask_cut_answers: leave answers that are cut at max_new_tokens out of the loss.
    plateau: stop after this many steps without an improvement of the mean reward or of its
    deviation within groups (0: never).
    """

    steps: Steps
    prompts: BatchSize = 8
    group: GroupSize = 8
    device_batch: BatchSize = 8
    learning_rate: NonNegative = 1e-6
    schedule: Schedule = "constant"
    warmup: Share = 0.0
    weight_decay: NonNegative = 0.0
    max_grad_norm: NonNegative = 1.0
    beta: NonNegative = 0.0
    temperature: Temperature = 1.0
    max_new_tokens: AnswerTokens = 256
    mask_cut_answers: bool = field(default=False, metadata=ADDED)
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
    """What is scored after training: the first `limit` samples (0: all) of each task, under the
    protocol (empty: the model's). tasks: names, or NAME:SPLIT for another split than the task's
    default. engine: of vtg-eval; empty: its default. start: also score the start checkpoint.
    """

    tasks: tuple[str, ...] = ()
    protocol: str = ""
    limit: Count = 0
    engine: str = ""
    start: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. source: where it comes from; ours: the values that are our own choice."""

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
    """Read a recipe; raises UserError that names the file, the key and the values it may have."""
    return load_toml(path, "a recipe", make_recipe)


def make_recipe(table: Mapping[str, Any]) -> Recipe:
    """Return the recipe of TOML tables; raises UserError that names the key."""
    recipe = converted(table, Recipe)
    _check(recipe)
    return recipe


def rule_record(rule: Any) -> dict[str, Any]:
    """Return a table's values, as the records of folders have them.

    A key that earlier versions did not have is absent at its default, so that their folders can be
    resumed.
    """
    unset = {
        key.name
        for key in fields(rule)
        if "added" in key.metadata
        if getattr(rule, key.name) == key.default
    }
    return {name: value for name, value in asdict(rule).items() if name not in unset}


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as TOML text with every value, defaults included."""
    lines: list[str] = []
    for name, value in asdict(recipe).items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in value.items())]
        elif value:
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _check(recipe: Recipe) -> None:
    """Raise UserError for values that are valid alone, but not together."""
    if recipe.rl is not None and recipe.rewards is None:
        raise UserError("[rl] needs a table [rewards].")
    if recipe.rewards is not None and not any(
        weight > 0 for weight in astuple(recipe.rewards) if isinstance(weight, float)
    ):
        raise UserError("[rewards] needs a weight above 0.")
    if not recipe.data.train:
        raise UserError("data.train is empty; name a file of training samples.")
    for stage, rule in (("curation", recipe.curation), ("selection", recipe.selection)):
        for name, window in asdict(rule).items() if rule else ():
            if isinstance(window, tuple) and window[0] > window[1]:
                raise UserError(f"{stage}.{name} is {list(window)}; the lower one stands first")
