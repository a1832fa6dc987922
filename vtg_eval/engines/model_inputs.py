"""From requests to tensors: the model's processor, its work on pixels done once for each video."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from transformers import BatchFeature
from transformers.video_utils import VideoMetadata

from vtg_eval.engines.base import Request

SAMPLE_FRAMES = "do_sample_frames"  # in the metadata for vLLM; transformers takes it as an argument
TYPES = "mm_token_type_ids"  # of each token: text, image or video
TEXT = ("input_ids", "attention_mask", TYPES)
VIDEO_TYPE = 2  # transformers' type of a video token
PARTS = ("video_processor", "image_processor")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One prompt: token ids with the placeholders expanded, their types, and the tensors.

    packed: the names of tensors that are joined with others along the last dimension.
    """

    ids: list[int]
    types: list[int]
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    packed: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """What must be the same in all inputs of a batch: names and sizes, but for the joined."""
        return tuple(
            (name, tuple(value.shape[:-1] if name in self.packed else value.shape[1:]))
            for name, value in self.tensors.items()
        )

    def first(self, length: int) -> ModelInput:
        """Return the prompt's first tokens, with the tensors."""
        return replace(self, ids=self.ids[:length], types=self.types[:length])


class _Block(NamedTuple):
    """What the processor puts in a video's place: ids and types; `before`: the ids before it."""

    before: list[int]
    ids: list[int]
    types: list[int]


@dataclass(slots=True)
class _Video:
    """The last video: the processor's output for its pixels, and for a prompt about it."""

    key: tuple[Any, ...]
    pixels: Any = None
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    block: _Block | None = None


class InputBuilder:
    """Builds inputs; consecutive requests on the same frames share the processor's tensors.

    The processor expands each prompt, but looks at the pixels once. Where the placeholder is one
    token and what it expands to is tokenized by itself, the expansion is used again, too.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._placeholder = _placeholder(processor)
        self._special = set(processor.tokenizer.added_tokens_decoder)
        self._last: _Video | None = None

    def build(self, request: Request) -> ModelInput:
        """Return the model's input; raises what the processor raises."""
        tokenizer = self._processor.tokenizer
        special = adds_special_tokens(tokenizer, request.prompt)
        ids: list[int] = tokenizer(request.prompt, add_special_tokens=special)["input_ids"]
        if request.frames is None:
            return ModelInput(ids, [0] * len(ids))
        settings = (repr(request.metadata), repr(request.processor_kwargs), request.media)
        key = (request.frames.digest, *settings)
        if self._last is None or self._last.key != key:
            self._last = _Video(key)
        index = self._index(request, ids)
        block = self._last.block
        if block and index is not None and self._separate(block, ids, index):
            new = [*ids[:index], *block.ids, *ids[index + 1 :]]
            types = [0] * index + block.types + [0] * (len(ids) - index - 1)
            return ModelInput(new, types, self._last.tensors, request.packed)
        return self._process(request, ids, index, special)

    def _index(self, request: Request, ids: list[int]) -> int | None:
        """Return where the video's placeholder is, None where it is not one token."""
        if request.media == "images" or self._placeholder is None:
            return None
        count = ids.count(self._placeholder)
        if count != 1:
            raise ValueError(f"the prompt has {count} video placeholders, not 1")
        return ids.index(self._placeholder)

    def _separate(self, block: _Block, ids: list[int], index: int) -> bool:
        """Tell whether the text around a video is tokenized as if the video were not there."""
        following = ids[index + 1 : index + 2]
        return ids[:index] == block.before and not self._special.isdisjoint(
            [block.ids[-1], *following]
        )

    def _process(
        self, request: Request, ids: list[int], index: int | None, special: bool
    ) -> ModelInput:
        """Let the processor expand the prompt, and keep what it makes of the video."""
        frames, video = request.frames, self._last
        assert frames is not None and video is not None
        pictures: dict[str, Any]
        if request.media == "images":
            pictures = {"images": list(frames.array)}
        else:
            metadata = {k: v for k, v in request.metadata.items() if k != SAMPLE_FRAMES}
            pictures = {
                "videos": [[frames.array]],  # one list for each prompt
                "video_metadata": [VideoMetadata(**metadata)],
            }
        kwargs = dict(request.processor_kwargs)
        kwargs["text_kwargs"] = {
            **kwargs.get("text_kwargs", {}),
            f"return_{TYPES}": True,
            "add_special_tokens": special,
        }
        with _pixels_once(self._processor, video):
            outputs = self._processor(
                text=[request.prompt], return_tensors="pt", **pictures, **kwargs
            )
        expanded: list[int] = outputs["input_ids"][0].tolist()
        types: list[int] = outputs[TYPES][0].tolist() if TYPES in outputs else [0] * len(expanded)
        tensors = {
            name: value
            for name, value in outputs.items()
            if name not in TEXT and isinstance(value, torch.Tensor)
        }
        if not _same(video.tensors, tensors):
            video.tensors = tensors
        if index is not None:
            end = len(expanded) - (len(ids) - index - 1)
            if expanded[:index] == ids[:index] and expanded[end:] == ids[index + 1 :]:
                video.block = _Block(ids[:index], expanded[index:end], types[index:end])
        return ModelInput(expanded, types, video.tensors, request.packed)


def _same(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


class _Once:
    """The part of a processor that looks at pixels: it does so for the first call on a video."""

    def __init__(self, part: Any, video: _Video) -> None:
        self._part = part
        self._video = video

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        if self._video.pixels is None:
            self._video.pixels = self._part(*arguments, **settings)
        return BatchFeature(dict(self._video.pixels))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


@contextmanager
def _pixels_once(processor: Any, video: _Video) -> Iterator[None]:
    """Let the processor use what it made of the video's pixels before."""
    parts = {name: getattr(processor, name) for name in PARTS if hasattr(processor, name)}
    for name, part in parts.items():
        setattr(processor, name, _Once(part, video))
    try:
        yield
    finally:
        for name, part in parts.items():
            setattr(processor, name, part)


def adds_special_tokens(tokenizer: Any, prompt: str) -> bool:
    """Tell whether the tokenizer adds special tokens: not where the chat template wrote them."""
    start = tokenizer.bos_token
    return start is None or not prompt.startswith(start)


def collate(items: Sequence[ModelInput], pad: int) -> dict[str, torch.Tensor]:
    """Return one batch: ids padded on the left, videos one after the other."""
    ids, mask = padded([item.ids for item in items], pad)
    types, _ = padded([item.types for item in items], 0)
    batch = {"input_ids": ids, "attention_mask": mask, TYPES: types}
    for name in {name: None for item in items for name in item.tensors}:
        parts = [item.tensors[name] for item in items if name in item.tensors]
        batch[name] = torch.cat(parts, dim=-1 if name in items[0].packed else 0)
    return batch


def padded(rows: Sequence[Sequence[int]], value: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of numbers as int [B, L], padded on the left with `value`, and their mask."""
    longest = max(map(len, rows))
    numbers = torch.full((len(rows), longest), value, dtype=torch.long)
    mask = torch.zeros_like(numbers)
    for index, row in enumerate(rows):
        numbers[index, longest - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[index, longest - len(row) :] = 1
    return numbers, mask


def accepted(batch: Mapping[str, torch.Tensor], model: Any) -> dict[str, torch.Tensor]:
    """Return what the model's forward pass takes of a batch: processors may return more."""
    names = inspect.signature(model.forward).parameters
    return {name: value for name, value in batch.items() if name in names}


def _placeholder(processor: Any) -> int | None:
    """Return the token that stands for a video in a prompt, None where it is not one token."""
    ids = processor.tokenizer(processor.video_token, add_special_tokens=False)["input_ids"]
    return int(ids[0]) if len(ids) == 1 else None


class Batch(NamedTuple):
    """arguments: for the model's `generate`. cached: tokens of each prompt computed before."""

    arguments: dict[str, Any]
    cached: list[int]


class WholePrompts:
    """Makes batches of at most `rows` prompts whose tensors can be put together."""

    def __init__(self, model: Any, pad: int, device: str, rows: int) -> None:
        self.rows = rows
        self._model = model
        self._pad = pad
        self._device = device

    def fit(self, items: Sequence[ModelInput]) -> bool:
        """Tell whether prompts can be in one batch: all but the last are in one."""
        return items[-1].shape == items[0].shape

    def batch(self, items: Sequence[ModelInput]) -> Batch:
        """Return the batch of these prompts."""
        tensors = accepted(collate(items, self._pad), self._model)
        arguments = {name: tensor.to(self._device) for name, tensor in tensors.items()}
        return Batch(arguments, [0] * len(items))

    def release(self) -> None:
        """Free what is kept from one batch to the next: nothing."""
