"""GRPO with videos: TRL's trainer, which knows images only, shown a video's tensors instead.

TRL's own tensors carry the row of each answer's sample; the tensors of its video are put in where
TRL calls the model. Everything else (advantages, losses, accumulation, logging) is TRL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any

import torch

from vtg_eval.engines.generation import sample_seed
from vtg_eval.engines.model_inputs import ModelInput
from vtg_eval.engines.rope_positions import patch_rope_positions

from .batches import Batches, Example
from .shared_prompt import packed_log_probs
from .stage import Guarded
from .trl_quietly import GRPOTrainer

Found = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


class VideoGrpo(Guarded, GRPOTrainer):
    """`batches` and `examples` say what is behind a row of the data set.

    share_prompt: score a group's answers behind one copy of their prompt.
    """

    def __init__(
        self, batches: Batches, examples: Sequence[Example], share_prompt: bool, **kwargs: Any
    ) -> None:
        self._batches = batches
        self._examples = examples
        self._share_prompt = share_prompt
        self._rows: list[int] = []  # the samples of the batch that is in work
        self._inputs: dict[int, ModelInput] = {}  # of the answers that are in work
        super().__init__(**kwargs)
        if self.ref_model is not None:
            patch_rope_positions(self.accelerator.unwrap_model(self.ref_model))

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
        if self._share_prompt:
            return self._by_prompt(model, input_ids, attention_mask, logits_to_keep)
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

    def _by_prompt(self, model: Any, ids: torch.Tensor, mask: torch.Tensor, length: int) -> Found:
        """Score the answers, the last `length` tokens of each row, prompt by prompt."""
        parts = []
        for row, group in groupby(range(len(ids)), key=lambda place: self._rows[place]):
            places = list(group)
            first = ids[places[0]]
            prompt = first[:-length][mask[places[0], :-length].bool()]
            answers = ids[places][:, -length:]
            vision = self._batches.vision([self._inputs[row]])
            shown = {name: tensor.to(ids.device) for name, tensor in vision.items()}
            whole = torch.cat([prompt, answers[0]])[None]
            kinds = self._batches.kinds(whole, torch.ones_like(whole))
            kinds[:, -length:] = 0  # an answer is text, whatever its tokens
            positions = self._positions(model, whole, kinds, shown)
            with self.accelerator.autocast():
                parts.append(packed_log_probs(model, prompt, answers, positions, shown))
        logps, entropies = zip(*parts, strict=True)
        return torch.cat(logps), None if entropies[0] is None else torch.cat(entropies), None

    def _positions(
        self, model: Any, ids: torch.Tensor, kinds: torch.Tensor, shown: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return the rotary positions of one row, [3, L], by the model's own rule."""
        inner = self.accelerator.unwrap_model(model).model
        grids = {name: t for name, t in shown.items() if not name.startswith("pixel_values")}
        positions, _ = inner.get_rope_index(ids, mm_token_type_ids=kinds, **grids)
        return positions[:, 0]

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
