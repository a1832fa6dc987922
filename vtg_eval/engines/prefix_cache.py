"""One computation of a video for all prompts about it: the cache of the prefix that they share.

Prompts about one video mostly begin alike: all of the video, and the text up to the query. Keys and
values of these tokens are computed once. Each prompt goes on from them with the rest of its tokens:

    padding, prefix, padding, rest      one row for each prompt; padding is masked

A prefix can be continued so where each layer keeps the keys and values of all tokens, whatever
comes later. That is not so with sliding windows and the states of linear attention.
"""

from __future__ import annotations

import inspect
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from vtg_eval.engines.model_inputs import Batch, ModelInput, accepted, collate, padded

ROOM = 256  # tokens by which a layer's cache grows
VISUAL = ("image_token_id", "video_token_id")  # of a model's config


class _States(NamedTuple):
    """One layer's keys and values of a prefix, [1, heads, P, width]."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The first tokens of prompts about one video, computed: positions [..., 1, P] and layers."""

    item: ModelInput
    positions: torch.Tensor
    layers: tuple[_States, ...]

    def cut(self, length: int) -> _Prefix:
        """Return the prefix of so many tokens: what is before a token does not depend on it."""
        return _Prefix(
            self.item.first(length),
            self.positions[..., :length],
            tuple(_States(k[..., :length, :], v[..., :length, :]) for k, v in self.layers),
        )


@dataclass(slots=True)
class _Group:
    """Consecutive prompts of a batch that share their first `length` tokens and their video."""

    items: list[ModelInput]
    length: int


class _PrefixLayer(DynamicLayer):  # type: ignore[misc]
    """A layer's cache that begins with a prefix for each row, padded on the left.

    It has room for more tokens, so that a new one is not a copy of all: `DynamicLayer` joins them.
    """

    def __init__(self, prefixes: Sequence[_States], rows: Sequence[int]) -> None:
        super().__init__()
        self._tokens: int = max(prefix.keys.shape[-2] for prefix in prefixes)
        self.keys = self._joined([prefix.keys for prefix in prefixes], rows)
        self.values = self._joined([prefix.values for prefix in prefixes], rows)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add tokens; returns the keys and values of all."""
        start, end = self._tokens, self._tokens + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            room = (0, 0, 0, end - self.keys.shape[-2] + ROOM)
            self.keys, self.values = pad(self.keys, room), pad(self.values, room)
        self.keys[:, :, start:end] = key_states
        self.values[:, :, start:end] = value_states
        self._tokens = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Return the number of tokens, padding included."""
        return self._tokens

    def _joined(self, prefixes: Sequence[torch.Tensor], rows: Sequence[int]) -> torch.Tensor:
        _, heads, _, width = prefixes[0].shape
        joined = prefixes[0].new_zeros(sum(rows), heads, self._tokens + ROOM, width)
        first = 0
        for prefix, count in zip(prefixes, rows, strict=True):
            start = self._tokens - prefix.shape[-2]
            joined[first : first + count, :, start : self._tokens] = prefix
            first += count
        return joined


class SharedPrefixes:
    """Makes batches of prompts about at most `videos` videos, each video computed once.

    The last video's prefix is kept, because the next batch may go on with it.
    """

    def __init__(self, model: Any, pad_token: int, device: str, videos: int, rows: int) -> None:
        self.rows = rows
        self._videos = videos
        self._model = model
        self._pad = pad_token
        self._device = device
        names = inspect.signature(model.forward).parameters
        self._last_logits = {"logits_to_keep": 1} if "logits_to_keep" in names else {}
        self._visual = _visual_tokens(model.config)
        self._kept: _Prefix | None = None

    @staticmethod
    def suits(model: Any) -> bool:
        """Tell whether the model's prefixes can be continued: by the layers of its cache.

        Where tokens have types that its mask reads, they may look at those that come later.
        """
        layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
        plain = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
        typed = "token_type_ids" in inspect.signature(model.forward).parameters
        return plain and not typed and bool(_visual_tokens(model.config))

    def fit(self, items: Sequence[ModelInput]) -> bool:
        """Tell whether prompts can be in one batch."""
        return len({id(item.tensors) for item in items}) <= self._videos

    def _groups(self, items: Sequence[ModelInput]) -> list[_Group]:
        """Divide prompts into groups of those with the same video and its tokens in the prefix."""
        groups: list[_Group] = []
        for item in items:
            if groups:
                group = groups[-1]
                limit = min(group.length, len(item.ids) - 1)
                length = self._shared(group.items[0], item, limit)
                if length:
                    group.items.append(item)
                    group.length = length
                    continue
            groups.append(_Group([item], len(item.ids) - 1))
        return groups

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def batch(self, items: Sequence[ModelInput]) -> Batch:
        """Return the batch that continues the prompts' prefixes."""
        groups = self._groups(items)
        cached: list[int] = []
        prefixes = []
        for group in groups:
            kept = self._continued(group)
            prefix = kept or self._compute(group.items[0].first(group.length))
            prefixes.append(prefix)
            length = len(prefix.item.ids)
            cached += [length if kept else 0, *[length] * (len(group.items) - 1)]
        self._kept = prefixes[-1]
        rows = [len(group.items) for group in groups]
        by_layer = zip(*(prefix.layers for prefix in prefixes), strict=True)
        layers = [_PrefixLayer(states, rows) for states in by_layer]
        owners = [p for p, count in zip(prefixes, rows, strict=True) for _ in range(count)]
        starts = [len(owner.item.ids) for owner in owners]
        before = padded([owner.item.ids for owner in owners], self._pad)
        rests = [item.ids[start:] for item, start in zip(items, starts, strict=True)]
        after = padded(rests, self._pad)
        ids, mask = (torch.cat(parts, dim=1) for parts in zip(before, after, strict=True))
        last = torch.cat([owner.positions[..., -1:] for owner in owners], dim=-2)
        arguments = {
            "input_ids": ids.to(self._device),
            "attention_mask": mask.to(self._device),
            "position_ids": last + after[1].cumsum(-1).to(self._device),
            "past_key_values": Cache(layers=layers),
        }
        return Batch(arguments, cached)

    def release(self) -> None:
        """Free the last video's prefix."""
        self._kept = None

    def _shared(self, first: ModelInput, second: ModelInput, limit: int) -> int:
        """Return how many tokens two prompts share, up to a limit; 0 where the video is not."""
        if first.tensors is not second.tensors:
            return 0
        length = _common(first.ids[:limit], second.ids[:limit])
        # a token of text follows the video, so that positions go on from it
        after = {*first.ids[length - 1 :], *second.ids[length - 1 :]}
        return length if self._visual.isdisjoint(after) else 0

    def _continued(self, group: _Group) -> _Prefix | None:
        """Return the kept prefix as far as the group shares it, None where it does not."""
        kept, self._kept = self._kept, None
        if kept is None:
            return None
        limit = min(group.length, len(kept.item.ids))
        length = self._shared(group.items[0], kept.item, limit)
        return kept.cut(length) if length else None

    def _compute(self, item: ModelInput) -> _Prefix:
        """Run the model on a prefix as `generate` would run it on a prompt."""
        model = self._model
        inputs = {n: t.to(self._device) for n, t in accepted(collate([item], 0), model).items()}
        ids = inputs.pop("input_ids")
        positions = model._prepare_position_ids_for_generation(ids, inputs)
        cache = DynamicCache(config=model.config.get_text_config(decoder=True))
        prepared = model.prepare_inputs_for_generation(
            ids,
            past_key_values=cache,
            position_ids=positions,
            use_cache=True,
            is_first_iteration=True,
            **inputs,
            **self._last_logits,
        )
        model(**prepared, return_dict=True)
        layers = tuple(_States(layer.keys, layer.values) for layer in cache.layers)
        return _Prefix(item, positions, layers)


def _visual_tokens(config: Any) -> set[int]:
    """Return the tokens in whose places a model puts what it makes of images and videos."""
    ids = (getattr(config, name, None) for name in VISUAL)
    return {number for number in ids if number is not None}


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many numbers two sequences of the same length begin with alike."""
    positions = range(len(first))
    return bisect_left(positions, True, key=lambda at: first[: at + 1] != second[: at + 1])
