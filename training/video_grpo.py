"""GRPO with videos: TRL's trainer, which knows images only, shown a video's tensors instead.

TRL's own tensors carry the row of each answer's sample; the tensors of its video are put in where
TRL calls the model. Everything else (advantages, losses, accumulation, logging) is TRL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from vtg_eval.engines.generation import sample_seed
from vtg_eval.engines.model_inputs import ModelInput
from vtg_eval.engines.positions import mend_positions

from .batches import Batches, Example
from .stage import Guarded
from .trl_quietly import GRPOTrainer

Found = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


class VideoGrpo(Guarded, GRPOTrainer):
    """`batches` and `examples` say what is behind a row of the data set."""

    def __init__(self, batches: Batches, examples: Sequence[Example], **kwargs: Any) -> None:
        self._batches = batches
        self._examples = examples
        self._rows: list[int] = []  # the samples of the batch that is in work
        self._inputs: dict[int, ModelInput] = {}  # of the answers that are in work
        super().__init__(**kwargs)
        if self.ref_model is not None:
            mend_positions(self.accelerator.unwrap_model(self.ref_model))

    def _generate_and_score_completions(self, inputs: Sequence[Mapping[str, Any]]) -> Any:
        self._rows = [int(row["row"]) for row in inputs]
        self._inputs = {
            row: self._batches.prompt(self._examples[row]) for row in dict.fromkeys(self._rows)
        }
        return {**super()._generate_and_score_completions(inputs), "rows": torch.tensor(self._rows)}

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self._inputs[row].ids for row in self._rows], None, {}

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: Any,
        multimodal_fields: Any,
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        """Answer group by group: one video's tensors at a time, and a seed for each group.

        So the answers depend on the step and the place of the group, and neither on the state
        of the generators nor on how many processes share the work.
        """
        answers: list[list[int]] = []
        before = self.accelerator.process_index * len(self._rows)
        size = min(num_generations, len(self._rows))  # a group, or this process's part of one
        for start in range(0, len(self._rows), size):
            part = slice(start, start + size)
            fields = self._fields(self._rows[part])
            seed = sample_seed(self.args.seed, f"{self.state.global_step}:{before + start}")
            with _drawing(seed, self.accelerator.device), self.accelerator.autocast():
                found, _ = super()._generate_single_turn(
                    prompt_ids[part], None, fields, num_generations
                )
            answers += found
        return answers, None

    def _fields(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return what goes beside the ids of these samples' prompts, on the device."""
        batch = self._batches.collate([self._inputs[row] for row in rows])
        beside = {k: t for k, t in batch.items() if k not in ("input_ids", "attention_mask")}
        return {name: tensor.to(self.accelerator.device) for name, tensor in beside.items()}

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **rest: Any,
    ) -> Found:
        size = batch_size or len(input_ids)
        parts: list[Found] = []
        for start in range(0, len(input_ids), size):
            part = slice(start, start + size)
            ids, mask = input_ids[part], attention_mask[part]
            vision = self._batches.vision([self._inputs[row] for row in self._rows[part]])
            shown = {name: tensor.to(ids.device) for name, tensor in vision.items()}
            kinds = self._batches.kinds(ids, mask)
            kinds[:, -logits_to_keep:] = 0  # an answer is text, whatever its tokens
            parts.append(
                super()._get_per_token_logps_and_entropies(
                    partial(model, **shown),
                    ids,
                    mask,
                    logits_to_keep,
                    **{**rest, "mm_token_type_ids": kinds},
                )
            )
        logps, entropies, losses = zip(*parts, strict=True)
        return (
            torch.cat(logps),
            None if entropies[0] is None else torch.cat(entropies),
            None if losses[0] is None else torch.stack(losses).mean(),
        )

    def _compute_loss(self, model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
        self._rows = inputs["rows"].tolist()
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _calculate_rewards(self, *args: Any) -> torch.Tensor:
        """Log, besides, how the rewards differ within groups, over all processes."""
        rewards: torch.Tensor = super()._calculate_rewards(*args)
        within = rewards.sum(dim=1).view(-1, self.num_generations).std(dim=1)
        still = torch.isclose(within, torch.zeros_like(within))
        self._metrics["train"]["group_deviation"].append(within.mean().item())
        self._metrics["train"]["constant_groups"].append(still.float().mean().item())
        return rewards


@contextmanager
def _drawing(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from `seed` meanwhile; the generators' own states come back afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
