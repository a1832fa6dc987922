"""What SFT and RL share: the folder, the trainer's settings and guards, resuming, the result."""

from __future__ import annotations

import logging
import math
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

from vtg_eval.checkpoint.fingerprint import checkpoint_digest
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import sync_to_disk, write_bytes
from vtg_eval.files.owned_folder import check_owner
from vtg_eval.registry import Registry

from ..recipe import Recipe, RlRule, SftRule
from .batches import Batches, Example, Source, find_source, make_batches
from .callbacks import on_plateau
from .folder import COMPLETE, TrainingFolder, data_digest, step_of
from .policy import adapters, export, load_policy, reload
from .sample_order import accumulation

STATES_KEPT = 2
PICKLED = "training_args.bin"  # a pickle with this machine's paths, which nothing reads again
WORKERS = 4  # processes that build batches ahead of a GPU; a CPU has no cores to spare for them
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class Guarded:
    """What is put before a TRL trainer: it stops before a loss or gradient that is no number
    reaches the weights, marks states that are complete, and tells nobody of the training.
    """

    _unsound = False

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Note a loss that is no number."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        self._unsound = self._unsound or not bool(torch.isfinite(loss).all())
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Called on every process once a step, before the optimiser moves the weights."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]
        trainer: Any = self
        unsound = self._unsound or (norm is not None and not math.isfinite(float(norm)))
        flag = torch.tensor(float(unsound), device=trainer.accelerator.device)
        if float(trainer.accelerator.reduce(flag, reduction="sum")):
            raise UserError(
                f"The loss or its gradient is no number at step {trainer.state.global_step + 1}. "
                f"The last good state is kept in {trainer.args.output_dir}. Lower the learning "
                "rate or max_grad_norm, or train in float32, into another folder."
            )
        return norm

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load whole weights by their names in files, which are not those in memory.

        transformers 5.19 looks for the latter and silently passes over all others, so that a
        Qwen2.5-VL would go on from its start with an optimiser that thinks otherwise.
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
        """Write none: it would name the user's folders and tools."""

    def _send_telemetry(self) -> None:
        """Send none."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage about to be trained."""

    recipe: Recipe
    rule: SftRule | RlRule
    source: Source
    folder: TrainingFolder
    batches: Batches
    processor: Any

    def load_policy(self) -> Any:
        """Return the model to train."""
        return load_policy(self.source.folder, self.recipe.model)

    def adapters(self) -> Any:
        """Return the adapters to train, or None."""
        return adapters(self.recipe.model)

    def arguments(self, batch: int, what: str) -> dict[str, Any]:
        """Return the trainer's settings that both stages have. batch: rows in one step."""
        rule, bfloat16 = self.rule, self.recipe.model.dtype == "bfloat16"
        on_gpu = torch.cuda.is_available()
        return {
            "output_dir": str(self.folder.states),
            "max_steps": rule.steps,
            "per_device_train_batch_size": rule.device_batch,
            "gradient_accumulation_steps": accumulation(batch, rule.device_batch, what),
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
            "ddp_find_unused_parameters": False,  # every sample has a video: all are used
            "remove_unused_columns": False,
            "save_strategy": "steps",
            "save_steps": rule.save_steps or rule.steps,
            "save_total_limit": STATES_KEPT,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "report_to": "none",
            "disable_tqdm": True,
        }


Make = Callable[[Stage], Any]


def run_stage(
    name: str,
    recipe: Recipe,
    rule: SftRule | RlRule,
    examples: Sequence[Example],
    out: Path,
    make: Make,
) -> Path:
    """Train a stage to its end, from its last state on, and return the checkpoint's folder.

    make: builds the trainer. The main process holds the folder for all that train together.
    Raises UserError where `out` holds another training, or another command is at work in it.
    """
    _hush()
    registry = Registry.discover()
    source = find_source(recipe.model, registry)
    folder = TrainingFolder(out)
    processes = PartialState(cpu=not torch.cuda.is_available())
    with folder.lock() if processes.is_main_process else nullcontext():
        with processes.main_process_first():
            check_owner(folder.record, _metadata(name, recipe, rule, source, examples))
        if folder.checkpoint.is_dir():
            return folder.checkpoint
        if not _finished(folder, rule):
            batches, processor = make_batches(source, registry)
            stage = Stage(recipe, rule, source, folder, batches, processor)
            _train(make(stage), folder, processes)
        if processes.is_main_process:
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
    """Tell whether the last state is the end: of the steps, or by a plateau."""
    state = folder.last_state()
    if state is None:
        return False
    patience = rule.plateau if isinstance(rule, RlRule) else 0
    return step_of(state) >= rule.steps or on_plateau(folder.history(state), patience)


def _metadata(
    name: str,
    recipe: Recipe,
    rule: SftRule | RlRule,
    source: Source,
    examples: Sequence[Example],
) -> Mapping[str, Any]:
    """Return what makes two trainings the same: all that moves a weight."""
    return {
        "stage": name,
        "recipe": recipe.name,
        "model": {**asdict(recipe.model), "checkpoint": checkpoint_digest(source.folder)},
        "protocols": [p.to_json() for p in dict.fromkeys(e.context.protocol for e in examples)],
        name: asdict(rule),
        "rewards": asdict(recipe.rewards) if recipe.rewards and name == "rl" else None,
        "data": data_digest(examples),
    }


def _hush() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    logging.getLogger("trl").setLevel(logging.ERROR)
