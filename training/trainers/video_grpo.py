"""GRPO with videos, on TRL's trainer, which supports images only.

TRL's own tensors carry the row of each answer's sample; the tensors of its video are added where
TRL calls the model. Everything else (advantages, losses, accumulation, logging) is TRL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import torch

from vtg_eval.engines.generation import sample_seed
from vtg_eval.engines.model_inputs import ModelInput
from vtg_eval.engines.rope_positions import patch_rope_positions

from .batches import Batches, Example
from .shared_prompt import packed_log_probs
from .stage import GRPOTrainer, Guarded
from .step_clock import StepClock
from .vllm_rollouts import VllmRollouts

# log-probabilities, entropies, auxiliary loss
Scores = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


class VideoGrpo(Guarded, GRPOTrainer):
    """A row of the data set is an index into `examples`; `batches` builds the model's inputs.

    share_prompt: score a group's answers behind one copy of their prompt. clock: is told when
    inputs are built and answers generated. vllm: answers in place of transformers; TRL then
    corrects for the difference of the two engines' probabilities.
    """

    def __init__(
        self,
        batches: Batches,
        examples: Sequence[Example],
        share_prompt: bool,
        clock: StepClock,
        vllm: VllmRollouts | None = None,
        **kwargs: Any,
    ) -> None:
        self._batches = batches
        self._examples = examples
        self._share_prompt = share_prompt
        self._clock = clock
        self._vllm = vllm
        self._rows: list[int] = []  # the samples of the current batch
        self._inputs: dict[int, ModelInput] = {}  # of the samples in the current batch
        super().__init__(**kwargs)
        if self.ref_model is not None:
            patch_rope_positions(self.accelerator.unwrap_model(self.ref_model))
        # not in TRL's settings, where it would start an engine for images
        self.use_vllm = vllm is not None

    def _generate_and_score_completions(self, inputs: Sequence[Mapping[str, Any]]) -> Any:
        self._rows = [int(row["row"]) for row in inputs]
        with self._clock.during("inputs"):
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
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        """Generate group by group: the tensors of one video at a time, and a seed for each group.

        So the answers depend on the step and the index of the group only, not on the state of the
        generators or on the number of processes.
        """
        before = self.accelerator.process_index * len(self._rows)
        with self._clock.during("rollouts"):
            if self._vllm is not None:
                return self._from_vllm(self._vllm, prompt_ids, before)
            return self._from_model(prompt_ids, num_generations, before), None

    def _from_model(
        self, prompt_ids: list[list[int]], num_generations: int, before: int
    ) -> list[list[int]]:
        """Return the policy's answers; `before`: the index of the first."""
        answers: list[list[int]] = []
        size = min(num_generations, len(self._rows))  # a group, or this process's part of a group
        for start in range(0, len(self._rows), size):
            part = slice(start, start + size)
            fields = self._fields(self._rows[part])
            seed = sample_seed(self.args.seed, f"{self.state.global_step}:{before + start}")
            with _seeded(seed, self.accelerator.device), self.accelerator.autocast():
                generated, _ = super()._generate_single_turn(
                    prompt_ids[part], None, fields, num_generations
                )
            answers += generated
        return answers

    def _from_vllm(
        self, vllm: VllmRollouts, prompt_ids: list[list[int]], before: int
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Return vLLM's answers and their log-probabilities; `before`: as the index of the first.

        Each answer has a seed of its own, from the step and its index.
        """
        step = self.state.global_step
        with self._clock.during("inputs"):
            requests = {
                row: self._batches.request(self._examples[row]) for row in dict.fromkeys(self._rows)
            }
        asked = [
            replace(requests[row], sample_id=f"{step}:{before + index}")
            for index, row in enumerate(self._rows)
        ]
        answers = vllm.answers(asked, self.accelerator.unwrap_model(self.model), step)
        for row, ids, answer in zip(self._rows, prompt_ids, answers, strict=True):
            if list(answer.prompt_ids) != ids:
                raise RuntimeError(
                    f"vLLM reads another prompt of sample {self._examples[row].sample.id} than "
                    "the trainer"
                )
        return [list(a.ids) for a in answers], [list(a.log_probs) for a in answers]

    def _fields(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the tensors of these prompts, besides their ids and mask, on the device."""
        batch = self._batches.collate([self._inputs[row] for row in rows])
        return {
            name: tensor.to(self.accelerator.device)
            for name, tensor in batch.items()
            if name not in ("input_ids", "attention_mask")
        }

    def _vision(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the tensors of these samples' videos, on the device."""
        tensors = self._batches.vision([self._inputs[row] for row in rows])
        return {name: tensor.to(self.accelerator.device) for name, tensor in tensors.items()}

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> Scores:
        if self._share_prompt:
            return self._by_prompt(model, input_ids, attention_mask, logits_to_keep)
        size = batch_size or len(input_ids)
        parts: list[Scores] = []
        for start in range(0, len(input_ids), size):
            part = slice(start, start + size)
            ids, mask = input_ids[part], attention_mask[part]
            vision = self._vision(self._rows[part])
            token_types = self._batches.token_types(ids, mask)
            token_types[:, -logits_to_keep:] = 0  # all tokens of an answer count as text
            parts.append(
                super()._get_per_token_logps_and_entropies(
                    partial(model, **vision),
                    ids,
                    mask,
                    logits_to_keep,
                    **{**options, "mm_token_type_ids": token_types},
                )
            )
        logps, entropies, losses = zip(*parts, strict=True)
        return (
            torch.cat(logps),
            None if entropies[0] is None else torch.cat(entropies),
            None if losses[0] is None else torch.stack(losses).mean(),
        )

    def _by_prompt(self, model: Any, ids: torch.Tensor, mask: torch.Tensor, length: int) -> Scores:
        """Score the answers (the last `length` tokens of each row) prompt by prompt."""
        parts = []
        for row, group in groupby(range(len(ids)), key=lambda index: self._rows[index]):
            indices = list(group)
            first = ids[indices[0]]
            prompt = first[:-length][mask[indices[0], :-length].bool()]
            answers = ids[indices][:, -length:]
            vision = self._vision([row])
            whole = torch.cat([prompt, answers[0]])[None]
            token_types = self._batches.token_types(whole, torch.ones_like(whole))
            token_types[:, -length:] = 0  # all tokens of an answer count as text
            positions = self._positions(model, whole, token_types, vision)
            with self.accelerator.autocast():
                parts.append(packed_log_probs(model, prompt, answers, positions, vision))
        logps, entropies = zip(*parts, strict=True)
        return torch.cat(logps), None if entropies[0] is None else torch.cat(entropies), None

    def _positions(
        self,
        model: Any,
        ids: torch.Tensor,
        token_types: torch.Tensor,
        vision: dict[str, torch.Tensor],
    ) -> torch.Tensor:
        """Return the rotary positions of one row, [3, L], computed by the model."""
        inner = self.accelerator.unwrap_model(model).model
        grids = {name: t for name, t in vision.items() if not name.startswith("pixel_values")}
        positions, _ = inner.get_rope_index(ids, mm_token_type_ids=token_types, **grids)
        return positions[:, 0]

    def _compute_loss(self, model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
        self._rows = inputs["rows"].tolist()
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _calculate_rewards(self, *args: Any) -> torch.Tensor:
        """Also log the deviation of the rewards within groups, over all processes."""
        rewards: torch.Tensor = super()._calculate_rewards(*args)
        within = rewards.sum(dim=1).view(-1, self.num_generations).std(dim=1)
        constant = torch.isclose(within, torch.zeros_like(within))
        self._metrics["train"]["group_deviation"].append(within.mean().item())
        self._metrics["train"]["constant_groups"].append(constant.float().mean().item())
        return rewards


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the generators, and restore their states afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
