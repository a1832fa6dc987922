"""The model's inputs in training, built by the adapter and the engine's code, as in evaluation.

An example takes the path of a question in evaluation: `RequestBuilder`, `InputBuilder`. The answer
to learn is appended to the prompt's tokens. So token ids, pixel values and positions of training
and evaluation are equal by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vtg_eval.adapter import Adapter
from vtg_eval.checkpoint.resolve import resolve_whole
from vtg_eval.engines.base import Request
from vtg_eval.engines.loading import load_processor
from vtg_eval.engines.model_inputs import TEXT, VIDEO_TYPE, InputBuilder, ModelInput, collate
from vtg_eval.errors import UserError, VideoError
from vtg_eval.registry import Registry
from vtg_eval.run.requests import RequestBuilder, SampleContext
from vtg_eval.types import Sample

from ..recipe import ModelRule

DECODER = "pyav"
IGNORED = -100  # a label that does not count in the loss


@dataclass(frozen=True, slots=True)
class Example:
    """One question to train on. answer: the text to learn; RL needs none."""

    sample: Sample
    video: Path
    context: SampleContext
    answer: str = ""


@dataclass(frozen=True, slots=True)
class StartCheckpoint:
    """The start of a training: a checkpoint and its adapter. config: of its config.json."""

    folder: Path
    config: Mapping[str, Any]
    adapter: Adapter


def find_start_checkpoint(rule: ModelRule, registry: Registry) -> StartCheckpoint:
    """Look up the checkpoint and its adapter; raises UserError where it has no weights."""
    checkpoint, entry = resolve_whole(rule.checkpoint, registry)
    if checkpoint.path is None:
        raise UserError(f"{rule.checkpoint} has no weights to train; name a checkpoint's folder.")
    adapter: Adapter = registry.adapter(entry.name)(checkpoint)
    return StartCheckpoint(checkpoint.path, checkpoint.config or {}, adapter)


class Batches:
    """Model inputs for examples."""

    def __init__(self, requests: RequestBuilder, processor: Any) -> None:
        self._requests = requests
        self._tokenizer = processor.tokenizer
        self._builder = InputBuilder(processor)
        self._video_token = int(processor.video_token_id)
        self._pad = int(self._tokenizer.pad_token_id or 0)

    def request(self, example: Example) -> Request:
        """Return the adapter's request for the example; raises UserError for a broken video."""
        rule = example.context.protocol.frames
        try:
            sample = example.sample
            frames = self._requests.frames(example.video, sample.clips, rule, sample.duration)
        except VideoError as exc:
            raise UserError(
                f"{example.video} (sample {example.sample.id}) cannot be read: {exc}. "
                "Remove its samples from the training data and train into another folder."
            ) from exc
        return self._requests.request(example.sample, frames, example.context)

    def prompt(self, example: Example) -> ModelInput:
        """Return the input for the question alone, as for generating an answer."""
        return self._builder.build(self.request(example))

    def training_input(self, example: Example) -> ModelInput:
        """Return the input for the question, its answer, and the token that ends an answer."""
        prompt = self.prompt(example)
        answer = self.answer_ids(example)
        return ModelInput(prompt.ids + answer, prompt.types + [0] * len(answer), prompt.tensors)

    def answer_ids(self, example: Example) -> list[int]:
        """Return the tokens to learn; raises UserError for an answer with control tokens."""
        ids: list[int] = self._tokenizer(example.answer, add_special_tokens=False)["input_ids"]
        control = {*self._tokenizer.all_special_ids, self._video_token}
        if not ids or control & set(ids):
            content = self._tokenizer.decode(sorted(control & set(ids))) or "no text at all"
            raise UserError(f"The answer to learn of sample {example.sample.id} holds {content}.")
        return [*ids, int(self._tokenizer.eos_token_id)]

    def training_batch(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Return one batch for supervised fine-tuning, padded on the left.

        `labels` (int64 [B, L]) are the answers' tokens, and IGNORED elsewhere.
        """
        batch = dict(self.collate([self.training_input(example) for example in examples]))
        labels = torch.full_like(batch["input_ids"], IGNORED)
        for row, example in enumerate(examples):
            count = len(self.answer_ids(example))
            labels[row, -count:] = batch["input_ids"][row, -count:]
        return {**batch, "labels": labels}

    def collate(self, inputs: Sequence[ModelInput]) -> Mapping[str, torch.Tensor]:
        """Return one batch, collated as by the engine."""
        return collate(inputs, self._pad)

    def vision(self, inputs: Sequence[ModelInput]) -> dict[str, torch.Tensor]:
        """Return the tensors of the inputs' videos, concatenated."""
        return {name: t for name, t in self.collate(inputs).items() if name not in TEXT}

    def token_types(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the tokens' types, int64 [B, L] as `ids`: VIDEO_TYPE for video, else 0."""
        return VIDEO_TYPE * ((ids == self._video_token) & (mask == 1)).long()


def make_batches(source: StartCheckpoint, registry: Registry) -> tuple[Batches, Any]:
    """Return the batches of a source, and its processor; frames are cached in the user's cache.

    Raises UserError where the checkpoint's processor cannot be loaded.
    """
    processor = load_processor(source.folder)
    requests = RequestBuilder(source.adapter, registry.decoder(DECODER)())
    return Batches(requests, processor), processor


def order(
    count: int, size: int, seed: int, shuffled: bool = True, stage: tuple[int, ...] = ()
) -> list[int]:
    """Return `size` indices below `count`: pass after pass over all, each pass in another order.

    The order is fixed before training, so that a resumed run cannot differ. Where not shuffled
    (a curriculum), each pass keeps the data's order. stage: numbers that give a stage orders of
    its own, for the same seed. Raises UserError without data.
    """
    if count < 1:
        raise UserError("There is no sample to train on; see the reports of the earlier stages.")
    passes = range(-(-size // count))
    rows = [
        np.random.default_rng((seed, number, *stage)).permutation(count)
        if shuffled
        else np.arange(count)
        for number in passes
    ]
    return [int(row) for row in np.concatenate(rows)[:size]] if size else []
