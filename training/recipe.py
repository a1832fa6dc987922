"""A training recipe: one TOML file with a table for each stage; every value is checked.

The dataclasses below are the schema, including the ranges of numbers. A stage without a table is
not run. The error for an unknown key names the nearest key; the error for a value out of range
names the range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml

# ranges of a recipe's numbers
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Power = Annotated[float, Meta(ge=0, le=100)]
Temperature = Annotated[float, Meta(ge=1e-3, le=10)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Steps = Annotated[int, Meta(ge=1, le=10**7)]
BatchSize = Annotated[int, Meta(ge=1, le=10**6)]
GroupSize = Annotated[int, Meta(ge=2, le=256)]
AnswerTokens = Annotated[int, Meta(ge=1, le=32768)]
Bounds = tuple[NonNegative, NonNegative]  # of a window, the lower one first
Schedule = Literal["cosine", "linear", "constant"]
AnswerForm = Literal["any", "think-answer", "think-time"]  # see `data.answers.well_formed`
LATER = {"later": True}  # metadata of keys that earlier versions did not have, see `recorded`
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

    train: samples of all stages: files, or one "task:NAME:SPLIT", a task's split, without
    `videos`; with ":COUNT" its first samples, with ":FIRST-LAST" those of these numbers (from 1).
    cold_start, rl: samples of SFT alone, of difficulty and RL alone, instead of `train`. shared:
    SFT and RL may learn from the same samples; otherwise that is refused. missing_share: how many
    samples may lack their video. leaks: what to do about samples on videos of an evaluation split;
    against: the tasks whose splits count (see `data.held_out`). label_noise: the share of labels
    that is replaced by other moments of the same videos, to study the effect of wrong labels.
    """

    train: tuple[str, ...] = ()
    cold_start: tuple[str, ...] = field(default=(), metadata=LATER)
    rl: tuple[str, ...] = field(default=(), metadata=LATER)
    shared: bool = field(default=False, metadata=LATER)
    videos: str = ""
    missing_share: Share = 0.0
    leaks: Literal["refuse", "drop", "keep"] = "refuse"
    against: tuple[str, ...] = field(default=(), metadata=LATER)
    label_noise: Share = 0.0

    @property
    def sft_files(self) -> tuple[str, ...]:
        """Where the samples of SFT are."""
        return self.cold_start or self.train

    @property
    def rl_files(self) -> tuple[str, ...]:
        """Where the samples of difficulty and RL are."""
        return self.rl or self.train


@dataclass(frozen=True, slots=True)
class FilterRule:
    """Which samples are kept (lengths in seconds).

    reasoning_iou: least IoU of the span in the reasoning text with the label (0: no filter).
    """

    reasoning_iou: Share = 0.0
    format: AnswerForm = "any"
    moment_seconds: Bounds = (0.0, 1e9)
    video_seconds: Bounds = (0.0, 1e9)
    moment_share: tuple[Share, Share] = (0.0, 1.0)
    duplicates: bool = True


@dataclass(frozen=True, slots=True)
class CurationRule(FilterRule):
    """Which samples are kept. The filters are for all samples, but `reasoning_iou` and `format` for
    those of SFT. cold_start, rl: more filters, for the samples of SFT, of difficulty and RL.
    """

    cold_start: FilterRule | None = field(default=None, metadata=LATER)
    rl: FilterRule | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True)
class SftRule:
    """Supervised fine-tuning. batch: samples in one step over all devices.

    quantum: seconds; times in the answers are rounded to its multiples, for example to the time
    between two frames, because nothing finer can be seen (0: one decimal). free_form: the share of
    samples whose answer is learnt in words that the protocol's parser does not read, to make a
    start checkpoint that seldom answers in form.
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
    free_form: Share = field(default=0.0, metadata=LATER)
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
    """Which samples RL sees, by the rollouts of each. size: how many (0: all that remain).

    mean_iou, pass_rate: windows of the mean IoU, and of the share of rollouts with an IoU of at
    least `pass_iou`, outside which samples are left out; both ends are inside. drop_constant: leave
    out samples whose rollouts all have the same reward. curriculum: easy samples first.

    method: "all"; "gaussian": a Gaussian window over the mean IoU (mean, deviation), corrected
    for how many samples have that IoU; "inverse": weights (1 - mean IoU) ** power; "weighted":
    deviation ** deviation_power * (1 - mean) ** power, of the rollouts' IoU or rewards (weighed).
    """

    method: Literal["all", "gaussian", "inverse", "weighted"] = "all"
    mean: Share = 0.3
    deviation: Annotated[float, Meta(ge=1e-3, le=1)] = 0.2
    power: Power = 2.0
    deviation_power: Power = field(default=1.0, metadata=LATER)
    weighed: Literal["iou", "reward"] = field(default="iou", metadata=LATER)
    mean_iou: tuple[Share, Share] = (0.0, 1.0)
    pass_rate: tuple[Share, Share] = field(default=(0.0, 1.0), metadata=LATER)
    pass_iou: Share = field(default=0.5, metadata=LATER)
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
    wasserstein_union: NonNegative = field(default=0.0, metadata=LATER)
    set_iou: NonNegative = 0.0
    giou: NonNegative = field(default=0.0, metadata=LATER)
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
    rounds: parts of RL, each with an equal share of the steps. Each measures difficulty with the
    weights of the one before, selects anew and trains on, with a schedule of its own.
    """

    steps: Steps
    rounds: Annotated[int, Meta(ge=1, le=1000)] = field(default=1, metadata=LATER)
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
    mask_cut_answers: bool = field(default=False, metadata=LATER)
    loss: Literal["grpo", "dr_grpo", "bnpo", "dapo"] = "bnpo"
    scale_rewards: Literal["group", "batch", "none"] = "none"
    importance: Literal["token", "sequence"] = "token"
    entropy: NonNegative = 0.0
    rollouts: Literal["transformers", "vllm-colocate", "vllm-server"] = "transformers"
    share_prompt: bool = False
    plateau: Count = 0
    save_steps: Count = 50
    seed: Count = 0

    @property
    def round_steps(self) -> int:
        """The steps of each round."""
        return self.steps // self.rounds


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


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as TOML text with every value, defaults included."""
    values = {name: value for name, value in asdict(recipe).items() if value}
    return "\n".join(_lines(values)) + "\n"


def _lines(table: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """Yield a table's lines: its values, then its tables. name: of the table in the file."""
    for key, value in table.items():
        if not isinstance(value, dict) and value is not None:
            yield f"{key} = {json.dumps(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            inner = f"{name}.{key}" if name else key
            yield from ("", f"[{inner}]", *_lines(value, inner))


def recorded(rule: Any) -> dict[str, Any]:
    """Return a table of a recipe as plain values, for the record of what a result depends on.

    Keys that earlier versions did not have are absent where they have their default, so that
    folders of those versions are resumed.
    """
    values = asdict(rule)
    later = [f for f in fields(rule) if f.metadata == LATER]
    unset = {f.name for f in later if getattr(rule, f.name) == f.default}
    return {key: value for key, value in values.items() if key not in unset}


def _check(recipe: Recipe) -> None:
    """Raise UserError for values that are valid alone, but not together."""
    if recipe.rl is not None and recipe.rewards is None:
        raise UserError("[rl] needs a table [rewards].")
    if recipe.rl is not None and recipe.rl.rounds > 1 and recipe.difficulty is None:
        raise UserError("rl.rounds needs a table [difficulty]: each round measures it anew.")
    if recipe.rl is not None and recipe.rl.steps % recipe.rl.rounds:
        raise UserError(
            f"rl.steps is {recipe.rl.steps}, which is no multiple of rl.rounds {recipe.rl.rounds}; "
            "change one of them."
        )
    if recipe.rewards is not None and not any(
        weight > 0 for weight in astuple(recipe.rewards) if isinstance(weight, float)
    ):
        raise UserError("[rewards] needs a weight above 0.")
    _check_data(recipe)
    for table, rule in (
        ("curation", recipe.curation),
        ("curation.cold_start", recipe.curation and recipe.curation.cold_start),
        ("curation.rl", recipe.curation and recipe.curation.rl),
        ("selection", recipe.selection),
    ):
        for name, window in asdict(rule).items() if rule else ():
            if isinstance(window, tuple) and window[0] > window[1]:
                raise UserError(f"{table}.{name} is {list(window)}; the lower one stands first")


def _check_data(recipe: Recipe) -> None:
    """Raise UserError where a stage has no samples, or no stage uses what `train` names."""
    data = recipe.data
    if not (data.train or data.cold_start or data.rl):
        raise UserError("data.train is empty; name a file of training samples.")
    if data.train and data.cold_start and data.rl:
        raise UserError(
            "no stage uses data.train, because data.cold_start and data.rl name the samples of all "
            "stages; leave it out, or one of the others."
        )
    for stage, key, files in (
        ("sft", "cold_start", data.sft_files),
        ("difficulty", "rl", data.rl_files),
        ("rl", "rl", data.rl_files),
    ):
        if getattr(recipe, stage) is not None and not files:
            raise UserError(f"[{stage}] has no samples; name a file as data.{key} or data.train.")
