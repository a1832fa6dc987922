"""Reinforcement learning on TRL's GRPOTrainer, with videos and the score's own rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers.integrations import is_deepspeed_zero3_enabled

from vtg_eval.errors import UserError
from vtg_eval.files.json_files import read_object
from vtg_eval.files.owned_folder import REMEDY

from ..recipe import Recipe, RewardRule, RlRule
from .batches import Example, order
from .callbacks import CUT, CutWarning, PlateauStop, StepBar, StepLog
from .folder import TrainingFolder
from .rewards import PARTS, Reward, RewardParts
from .stage import GRPOConfig, Stage, run_stage
from .step_clock import StepClock
from .video_grpo import VideoGrpo
from .vllm_rollouts import VllmRollouts

COLUMNS = {
    "loss": "loss",
    "reward": "reward",
    "group_deviation": "group_deviation",
    "constant_groups": "constant_groups",
    "completions/mean_length": "answer_tokens",
    CUT: "answers_cut",
    "entropy": "entropy",
    "kl": "kl",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "sampling/sampling_logp_difference/max": "rollout_difference",  # vLLM's and the trainer's
}
ORDER = (1,)  # of RL; SFT has no number
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
    if rule.rollouts == "vllm-server":
        raise UserError(_SERVER)
    in_order = recipe.selection is not None and recipe.selection.curriculum
    numbers = order_numbers(TrainingFolder(out))
    rows = order(len(samples), rule.steps * rule.prompts, rule.seed, not in_order, numbers)

    clock = StepClock()

    def make(stage: Stage) -> VideoGrpo:
        common = stage.arguments(rule.prompts * rule.group, "rl.prompts x rl.group")
        check_groups(rule, common["gradient_accumulation_steps"])
        # created before the model is loaded, so that ZeRO-3 loads it in shards
        arguments = GRPOConfig(**common, **_grpo(rule, stage.source.config))
        vllm = None
        if rule.rollouts == "vllm-colocate":  # while the GPU is empty
            vllm = engines.enter_context(closing(_vllm(stage, rule, common)))
        return VideoGrpo(
            stage.batches,
            samples,
            rule.share_prompt,
            clock,
            vllm,
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
                    clock,
                ),
                CutWarning(rule),
                PlateauStop(rule.plateau),
                StepBar(recipe.name, ["reward", "group_deviation", "constant_groups"]),
            ],
        )

    with ExitStack() as engines:
        return run_stage("rl", recipe, rule, samples, out, make, numbers)


def order_numbers(folder: TrainingFolder) -> tuple[int, ...]:
    """Return the numbers that give RL other orders than SFT has with the same seed.

    None for a training that an earlier version began: it is resumed in its order, that of SFT.
    """
    begun = read_object(folder.record, REMEDY)
    return () if begun and "order" not in begun else ORDER


_SERVER = (
    "A vLLM server cannot be given the weights of each step yet, so it would answer as the start "
    'checkpoint. Set rl.rollouts = "vllm-colocate" (vLLM in the trainer\'s process) or '
    '"transformers", or export the data to ms-swift or verl (vtg-train export).'
)


def _vllm(stage: Stage, rule: RlRule, common: Mapping[str, Any]) -> VllmRollouts:
    """Start the engine that answers in this process. common: the trainer's settings.

    Raises UserError for adapters under ZeRO-3.
    """
    if is_deepspeed_zero3_enabled() and stage.recipe.model.train == "lora":
        raise UserError(
            'rl.rollouts = "vllm-colocate" does not gather adapters that ZeRO-3 divides; use '
            "--launch fsdp2 or zero2."
        )
    return VllmRollouts(
        stage.source,
        rule,
        stage.recipe.model.dtype,
        rule.device_batch * common["gradient_accumulation_steps"],
        _suppressed(stage.source.config),
    )


def _suppressed(config: Mapping[str, Any]) -> list[int]:
    """Return the tokens that are never generated."""
    return [config[name] for name in SUPPRESSED if name in config]


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
        "mask_truncated_completions": rule.mask_cut_answers,
        "shuffle_dataset": False,
        "generation_kwargs": {"suppress_tokens": _suppressed(config)},
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
