"""What SFT and RL share: the folder, the trainer's settings and guards, resuming, the result.

TRL is imported here, without the messages of its import about vLLM, Triton and CUDA.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from accelerate import PartialState
from peft import PeftModel
from transformers import PrinterCallback
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from vtg_eval.checkpoint.fingerprint import checkpoint_digest
from vtg_eval.engines.quiet import captured_stderr
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import sync_to_disk, write_bytes
from vtg_eval.files.owned_folder import check_owner
from vtg_eval.registry import Registry
from vtg_eval.run.paths import cache_folder

from ..recipe import Recipe, RlRule, SftRule, recorded
from .batches import Batches, Example, StartCheckpoint, find_start_checkpoint, make_batches
from .callbacks import on_plateau
from .folder import COMPLETE, TrainingFolder, data_digest, step_of
from .policy import adapters, export, load_policy, reload

with captured_stderr():
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

__all__ = [
    "WORKERS",
    "GRPOConfig",
    "GRPOTrainer",
    "Guarded",
    "SFTConfig",
    "SFTTrainer",
    "Stage",
    "run_stage",
]

STATES_KEPT = 2
PICKLED = "training_args.bin"  # a pickle with this machine's paths, which nothing reads
WORKERS = 4  # processes that build batches for a GPU; on CPUs the cores are needed for training
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class Guarded:
    """A mix-in for TRL's trainers.

    It stops before a loss or gradient that is not finite reaches the weights, marks complete
    states, and sends no telemetry.
    """

    _unsound = False

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Record a loss that is not finite."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        self._unsound = self._unsound or not bool(torch.isfinite(loss).all())
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Stop for a loss or gradient that is not finite, on all processes, before the step."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]
        trainer: Any = self
        unsound = self._unsound or (norm is not None and not math.isfinite(float(norm)))
        flag = torch.tensor(float(unsound), device=trainer.accelerator.device)
        if float(trainer.accelerator.reduce(flag, reduction="sum")):
            raise UserError(
                f"The loss or its gradient is not finite at step {trainer.state.global_step + 1}. "
                f"The last good state is kept in {trainer.args.output_dir}. Lower the learning "
                "rate or max_grad_norm, or train in float32, into another folder."
            )
        return norm

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load whole weights by their names in files, which differ from those in memory.

        transformers 5.19 looks for the names in memory and silently skips all others, so that a
        Qwen2.5-VL would continue from its start weights with the state of a later optimiser.
        """
        trainer: Any = self
        if trainer.is_fsdp_enabled or isinstance(trainer.model, PeftModel):
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        else:
            reload(trainer.model, Path(resume_from_checkpoint))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        trainer: Any = self
        trainer.accelerator.wait_for_everyone()
        if trainer.args.should_save:
            folder = Path(trainer.args.output_dir) / f"checkpoint-{trainer.state.global_step}"
            (folder / PICKLED).unlink(missing_ok=True)
            sync_to_disk(folder)
            write_bytes(folder / COMPLETE, b"")

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no model card: it would name the user's folders and tools."""

    def _send_telemetry(self) -> None:
        """Send no telemetry."""


@dataclass(frozen=True, slots=True)
class Stage:
    """All that a stage's trainer is built from."""

    recipe: Recipe
    rule: SftRule | RlRule
    source: StartCheckpoint
    folder: TrainingFolder
    batches: Batches
    processor: Any

    def load_policy(self) -> Any:
        """Return the model to train."""
        return load_policy(self.source.folder, self.recipe.model)

    def adapters(self) -> Any:
        """Return the adapters to train, None without."""
        return adapters(self.recipe.model)

    def arguments(self, batch: int, key: str) -> dict[str, Any]:
        """Return the trainer's settings that SFT and RL share.

        batch: rows in one step; key: the recipe's name for it.
        """
        rule, bfloat16 = self.rule, self.recipe.model.dtype == "bfloat16"
        on_gpu = torch.cuda.is_available()
        return {
            "output_dir": str(self.folder.states),
            "max_steps": rule.steps,
            "per_device_train_batch_size": rule.device_batch,
            "gradient_accumulation_steps": accumulation(batch, rule.device_batch, key),
            "learning_rate": rule.learning_rate,
            "lr_scheduler_type": SCHEDULES[rule.schedule],
            "warmup_steps": math.ceil(rule.warmup * rule.steps),
            "weight_decay": rule.weight_decay,
            "max_grad_norm": rule.max_grad_norm,
            "seed": rule.seed,
            "bf16": bfloat16,
            "use_cpu": not on_gpu,
            "gradient_checkpointing": self.recipe.model.recompute,
            "gradient_checkpointing_kwargs": {"use_reentrant": False},
            "ddp_find_unused_parameters": False,  # each sample has a video: all are used
            "remove_unused_columns": False,
            "save_strategy": "steps",
            "save_steps": rule.save_steps or rule.steps,
            "save_total_limit": STATES_KEPT,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "report_to": "none",
            "disable_tqdm": True,
        }


def accumulation(total: int, device_batch: int, key: str) -> int:
    """Return how many batches of `device_batch` rows each process takes in one step.

    total: rows in one step, over all processes (started by accelerate or torchrun). key: the
    recipe's name for it. Raises UserError where they do not divide evenly.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch = device_batch * processes
    if total % batch:
        raise UserError(
            f"{key} is {total}, which is no multiple of {processes} processes x device_batch "
            f"{device_batch}; change one of them."
        )
    return total // batch


Make = Callable[[Stage], Any]


def run_stage(
    name: str,
    recipe: Recipe,
    rule: SftRule | RlRule,
    examples: Sequence[Example],
    out: Path,
    make: Make,
    order: tuple[int, ...] = (),
) -> Path:
    """Train a stage to its end, from its last state, and return the checkpoint's folder.

    make: builds the trainer. order: the stage's numbers for `batches.order`. The main process locks
    the folder for all processes of the training.
    Raises UserError where `out` holds another training, or another command uses it.
    """
    _silence_libraries()
    registry = Registry.discover()
    source = find_start_checkpoint(recipe.model, registry)
    folder = TrainingFolder(out)
    processes = PartialState(cpu=not torch.cuda.is_available())
    with folder.lock() if processes.is_main_process else nullcontext():
        with processes.main_process_first():
            check_owner(folder.record, _metadata(name, recipe, rule, source, examples, order))
        if folder.checkpoint.is_dir():
            return folder.checkpoint
        if not _finished(folder, rule):
            batches, processor = make_batches(source, registry)
            stage = Stage(recipe, rule, source, folder, batches, processor)
            _train(make(stage), folder, processes)
        if processes.is_main_process:
            unset_hf_deepspeed_config()  # under ZeRO-3 loading would wait for the others
            state = folder.last_state()
            assert state is not None
            export(source.folder, state, recipe.model, folder.checkpoint)
        processes.wait_for_everyone()
        return folder.checkpoint


def _train(trainer: Any, folder: TrainingFolder, processes: PartialState) -> None:
    state = folder.last_state()
    if processes.is_main_process:
        folder.rewind(step_of(state))
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(state) if state else None)
    processes.wait_for_everyone()


def _finished(folder: TrainingFolder, rule: SftRule | RlRule) -> bool:
    """Tell whether the last state is the end of training: the last step, or a plateau."""
    state = folder.last_state()
    if state is None:
        return False
    patience = rule.plateau if isinstance(rule, RlRule) else 0
    return step_of(state) >= rule.steps or on_plateau(folder.history(state), patience)


def _metadata(
    name: str,
    recipe: Recipe,
    rule: SftRule | RlRule,
    source: StartCheckpoint,
    examples: Sequence[Example],
    order: tuple[int, ...],
) -> Mapping[str, Any]:
    """Return all that the trained weights depend on."""
    digest = checkpoint_digest(source.folder, cache_folder())
    return {
        "stage": name,
        "recipe": recipe.name,
        "model": {**asdict(recipe.model), "checkpoint": digest},
        "protocols": [p.to_json() for p in dict.fromkeys(e.context.protocol for e in examples)],
        name: recorded(rule),
        "rewards": recorded(recipe.rewards) if recipe.rewards and name == "rl" else None,
        "data": data_digest(examples),
        **({"order": order} if order else {}),  # absent in folders of earlier versions
    }


def _silence_libraries() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    logging.getLogger("trl").setLevel(logging.ERROR)
