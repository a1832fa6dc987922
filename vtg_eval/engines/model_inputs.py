"""From requests to tensors: the model's processor, called once for each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import BatchFeature
from transformers.video_utils import VideoMetadata

from vtg_eval.engines.base import Request

SAMPLE_FRAMES = "do_sample_frames"  # in the metadata for vLLM; transformers takes it as an argument
TEXT = ("input_ids", "attention_mask", "mm_token_type_ids")
VIDEO_TYPE = 2  # transformers' mark of a video token in `mm_token_type_ids`


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One prompt: token ids with the video's placeholder expanded, and its tensors."""

    ids: list[int]
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Video:
    """The processor's output for one video: the ids of its placeholder, and its tensors."""

    key: tuple[Any, ...]
    block: list[int]
    tensors: Mapping[str, torch.Tensor]


class InputBuilder:
    """Builds inputs; consecutive requests on the same frames share one video's tensors."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._video_token = int(processor.video_token_id)
        self._last: _Video | None = None

    def build(self, request: Request) -> ModelInput:
        """Return the model's input; raises what the processor raises."""
        ids: list[int] = self._processor.tokenizer(request.prompt)["input_ids"]
        if request.frames is None:
            return ModelInput(ids)
        if ids.count(self._video_token) != 1:
            raise ValueError(
                f"the prompt has {ids.count(self._video_token)} video placeholders, not 1"
            )
        video = self._video(request, ids)
        index = ids.index(self._video_token)
        return ModelInput(ids[:index] + video.block + ids[index + 1 :], video.tensors)

    def _video(self, request: Request, ids: list[int]) -> _Video:
        assert request.frames is not None
        key = (request.frames.digest, repr(request.metadata), repr(request.processor_kwargs))
        if self._last is None or self._last.key != key:
            self._last = _Video(key, *self._process(request, ids))
        return self._last

    def _process(
        self, request: Request, ids: list[int]
    ) -> tuple[list[int], Mapping[str, torch.Tensor]]:
        assert request.frames is not None
        metadata = {
            name: value for name, value in request.metadata.items() if name != SAMPLE_FRAMES
        }
        outputs = self._processor(
            text=[request.prompt],
            videos=[request.frames.array],
            video_metadata=[VideoMetadata(**metadata)],
            return_tensors="pt",
            **request.processor_kwargs,
        )
        expanded: list[int] = outputs["input_ids"][0].tolist()
        index = ids.index(self._video_token)
        block = expanded[index : len(expanded) - (len(ids) - index - 1)]
        tensors = {
            name: value
            for name, value in outputs.items()
            if name not in TEXT and isinstance(value, torch.Tensor)
        }
        return block, tensors

    def collate(self, items: Sequence[ModelInput], pad: int) -> BatchFeature:
        """Return one batch: ids padded on the left, videos one after the other."""
        longest = max(len(item.ids) for item in items)
        ids = torch.full((len(items), longest), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, item in enumerate(items):
            ids[row, longest - len(item.ids) :] = torch.tensor(item.ids)
            mask[row, longest - len(item.ids) :] = 1
        batch = {"input_ids": ids, "attention_mask": mask}
        batch["mm_token_type_ids"] = VIDEO_TYPE * ((ids == self._video_token) & (mask == 1)).long()
        for name in {name: None for item in items for name in item.tensors}:
            batch[name] = torch.cat([item.tensors[name] for item in items if name in item.tensors])
        return BatchFeature(batch)
