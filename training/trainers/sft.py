"""Supervised fine-tuning on TRL's SFTTrainer, with videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from vtg_eval.errors import UserError

from ..recipe import Recipe
from .batches import Example, order
from .callbacks import StepBar, StepLog
from .stage import WORKERS, Guarded, SFTConfig, SFTTrainer, Stage, run_stage
from .step_clock import StepClock

COLUMNS = {
    "loss": "loss",
    "mean_token_accuracy": "token_accuracy",
    "entropy": "entropy",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}


class VideoSft(Guarded, SFTTrainer):
    """TRL's trainer; the collator adds the videos."""


def run_sft(recipe: Recipe, samples: Sequence[Example], out: Path) -> Path:
    """Fine-tune on the samples' answers; returns the folder that vtg-eval scores.

    Resumes from the last state in `out`. Raises UserError for a recipe without [sft], where `out`
    holds another training, and for a loss that is not finite.
    """
    if recipe.sft is None:
        raise UserError(f"The recipe {recipe.name} has no [sft].")
    rule, clock = recipe.sft, StepClock()

    def make(stage: Stage) -> VideoSft:
        def collate(rows: Sequence[Mapping[str, int]]) -> dict[str, torch.Tensor]:
            with clock.during("inputs"):  # worker processes have copies, which count nothing here
                return stage.batches.training_batch([samples[row["row"]] for row in rows])

        common: dict[str, Any] = stage.arguments(rule.batch, "sft.batch")
        # created before the model is loaded, so that ZeRO-3 loads it in shards
        arguments = SFTConfig(
            **common,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            train_sampling_strategy="sequential",
            dataloader_num_workers=0 if common["use_cpu"] else WORKERS,
        )
        return VideoSft(
            model=stage.load_policy(),
            args=arguments,
            data_collator=collate,
            train_dataset=Dataset.from_dict(
                {"row": order(len(samples), rule.steps * rule.batch, rule.seed)}
            ),
            processing_class=stage.processor,
            peft_config=stage.adapters(),
            callbacks=[StepLog(stage.folder.log, COLUMNS, clock), StepBar(recipe.name, ["loss"])],
        )

    return run_stage("sft", recipe, rule, samples, out, make)
