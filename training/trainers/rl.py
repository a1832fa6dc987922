"""Reinforcement learning on TRL's GRPOTrainer, with videos and the score's own rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from vtg_eval.errors import UserError

from ..recipe import Recipe, RewardRule, RlRule
from .batches import Example, order
from .callbacks import PlateauStop, StepBar, StepLog
from .rewards import PARTS, Reward, RewardParts
from .stage import GRPOConfig, Stage, run_stage
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
# tokens that begin or fill a picture: an answer with one of them cannot be read back
SUPPRESSED = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def run_rl(recipe: Recipe, samples: Sequence[Example], out: Path) -> Path:
    """Train on the rewards of the model's own answers; returns the folder that vtg-eval scores.

    Resumes from the last state in `out`. Raises UserError for a recipe without [rl] and [rewards],
    where `out` holds another training, and for a loss that is not finite.
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
        # created before the model is loaded, so that ZeRO-3 loads it in shards
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
                StepLog(
                    stage.folder.log,
                    {**COLUMNS, **{_column(part): _column(part) for part in PARTS}},
                ),
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
    """Return TRL's settings for the algorithm."""
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
        "generation_kwargs": {"suppress_tokens": [config[n] for n in SUPPRESSED if n in config]},
    }


def check_groups(rule: RlRule, accumulated: int) -> None:
    """Raise UserError where a process would get one group and a part of another."""
    answers = rule.device_batch * accumulated
    if answers % rule.group and rule.group % answers:
        raise UserError(
            f"Each process would get {answers} answers, which is neither whole groups of "
            f"{rule.group} nor an even part of one; change rl.prompts or the number of processes."
        )


def _column(part: str) -> str:
    """Return the log's name for a part of the reward, which is logged before its weight."""
    return f"reward/{part}"


def _scorer(rule: RewardRule, samples: Sequence[Example]) -> Any:
    """Return TRL's reward function: it returns the totals and logs the means of the parts."""

    def reward(example: Example, text: str) -> RewardParts:
        return Reward(rule, example.context.protocol)(example.sample, text)

    def total(completions: list[str], row: list[int], log_metric: Any, **_: Any) -> list[float]:
        rewards = [reward(samples[r], text) for r, text in zip(row, completions, strict=True)]
        for part in PARTS:
            log_metric(_column(part), sum(getattr(r, part) for r in rewards) / len(rewards))
        return [r.total for r in rewards]

    return total
