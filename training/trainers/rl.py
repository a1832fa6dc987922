"""Reinforcement learning on TRL's GRPOTrainer, with videos and the score's own rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datasets import Dataset

from vtg_eval.errors import UserError

from ..recipe import Recipe, RewardRule, RlRule
from .batches import Example
from .callbacks import PlateauStop, StepBar, StepLog
from .rewards import Reward, RewardParts
from .sample_order import order
from .stage import Stage, run_stage
from .trl_quietly import GRPOConfig
from .video_grpo import VideoGrpo

COLUMNS = {
    "loss": "loss",
    "reward": "reward",
    "group_deviation": "group_deviation",
    "constant_groups": "constant_groups",
    "completions/mean_length": "answer_tokens",
    "completions/clipped_ratio": "answers_cut",
    "entropy": "entropy",
    "kl": "kl",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}
# tokens that open or fill a picture: an answer that holds one cannot be read back
NOT_SAID = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def run_rl(recipe: Recipe, samples: Sequence[Example], out: Path) -> Path:
    """Train on the rewards of the model's own answers; returns the folder that vtg-eval scores.

    Goes on from the last state in `out`. Raises UserError for a recipe without [rl] and
    [rewards], where `out` holds another training, and for a loss that is no number.
    """
    rule, rewards = recipe.rl, recipe.rewards
    if rule is None or rewards is None:
        raise UserError(f"The recipe {recipe.name} has no [rl] or no [rewards].")
    if rule.rollouts != "transformers":
        raise UserError(_VLLM)
    in_order = recipe.selection is not None and recipe.selection.curriculum
    rows = order(len(samples), rule.steps * rule.prompts, rule.seed, shuffled=not in_order)

    def make(stage: Stage) -> VideoGrpo:
        common = stage.arguments(rule.prompts * rule.group, "rl.prompts x rl.group")
        check_groups(rule, common["gradient_accumulation_steps"])
        # before the model is loaded, which ZeRO-3 then does in shards
        arguments = GRPOConfig(**common, **_grpo(rule, stage.source.config))
        return VideoGrpo(
            stage.batches,
            samples,
            rule.share_prompt,
            model=stage.load_policy(),
            args=arguments,
            reward_funcs=_scorer(rewards, samples),
            train_dataset=Dataset.from_dict({"prompt": [str(row) for row in rows], "row": rows}),
            processing_class=stage.processor,
            peft_config=stage.adapters(),
            callbacks=[
                StepLog(stage.folder.log, {**COLUMNS, **_part_columns()}),
                PlateauStop(rule.plateau),
                StepBar(recipe.name, ["reward", "group_deviation", "constant_groups"]),
            ],
        )

    return run_stage("rl", recipe, rule, samples, out, make)


_VLLM = (
    "TRL 1.16 hands images to vLLM, and no videos, so vLLM would answer blind. Set rl.rollouts = "
    '"transformers", or export the data to ms-swift or verl (vtg-train export).'
)


def _grpo(rule: RlRule, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what TRL is told of the algorithm."""
    return {
        "num_generations": rule.group,
        "max_completion_length": rule.max_new_tokens,
        "temperature": rule.temperature,
        "beta": rule.beta,
        "loss_type": rule.loss,
        "scale_rewards": rule.scale_rewards,
        "importance_sampling_level": rule.importance,
        "entropy_coef": rule.entropy,
        "shuffle_dataset": False,
        "generation_kwargs": {"suppress_tokens": [config[n] for n in NOT_SAID if n in config]},
    }


def check_groups(rule: RlRule, accumulated: int) -> None:
    """Refuse a division of labour in which a process gets one group and a part of another."""
    own = rule.device_batch * accumulated
    if own % rule.group and rule.group % own:
        raise UserError(
            f"Each process would get {own} answers, which is neither whole groups of {rule.group} "
            "nor an even part of one; change rl.prompts or the number of processes."
        )


def _part_columns() -> dict[str, str]:
    """Return where the log keeps each part of the reward, before its weight."""
    parts = [f.name for f in fields(RewardRule) if f.name != "answer_format"]
    return {_part(name): _part(name) for name in parts}


def _part(name: str) -> str:
    return f"reward/{name}"


def _scorer(rule: RewardRule, samples: Sequence[Example]) -> Any:
    """Return the reward as TRL calls it: the totals, and the parts' means for the log."""

    def reward(example: Example, text: str) -> RewardParts:
        return Reward(rule, example.context.protocol)(example.sample, text)

    def total(completions: list[str], row: list[int], log_metric: Any, **_: Any) -> list[float]:
        found = [reward(samples[r], text) for r, text in zip(row, completions, strict=True)]
        for f in fields(RewardRule):
            if f.name != "answer_format":
                mean = sum(getattr(parts, f.name) for parts in found) / len(found)
                log_metric(_part(f.name), mean)
        return [parts.total for parts in found]

    return total
