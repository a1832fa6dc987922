"""Models of several parts, as those that also speak: the part that answers in text is run alone.

transformers has a class for that part. Its configuration is a part of config.json, its weights have
the part's name before theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import transformers

SUFFIX = "_config"
Value = TypeVar("Value")


class TextPart(NamedTuple):
    """The part of a model that turns images and text into text: all of it for most.

    config: its configuration. others: how the names of the other parts' weights start.
    """

    config: Any
    others: tuple[str, ...] = ()

    def without_others(self, weights: Mapping[str, Value]) -> dict[str, Value]:
        """Return the weights without those of other parts."""
        return {k: value for k, value in weights.items() if not k.startswith(self.others)}


def text_part(config: Any) -> TextPart:
    """Return the part of a model's configuration that transformers runs for text."""
    models = transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    if type(config) in models:
        return TextPart(config)
    parts = {name: getattr(config, name, None) for name in config.sub_configs}
    chosen = next((name for name, part in parts.items() if type(part) in models), None)
    if chosen is None:
        return TextPart(config)
    others = tuple(f"{name.removesuffix(SUFFIX)}." for name in parts if name != chosen)
    return TextPart(parts[chosen], others)
