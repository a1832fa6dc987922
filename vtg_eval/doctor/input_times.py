"""The times in a model's input, read from the real processor's output.

What an adapter says it tells is not used, only the form in which it tells it (`time_encoding`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vtg_eval.adapter import Adapter
from vtg_eval.engines.base import Request
from vtg_eval.model_input import time_text
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule, Times

# Seconds per grid step, as processors call them.
GRID_STEPS = ("second_per_grid_ts", "video_second_per_grid")
# Rotary positions a second, as models' configurations call them.
GRID_RATES = ("tokens_per_second", "position_id_per_seconds")
GRID = "video_grid_thw"
PIXELS = ("pixel_values_videos", "pixel_values")
CHANNELS = 3
# Times as a prompt lists them: "0.0, 0.5, 1.0" or "0.00s,0.50s,1.00s".
LIST = re.compile(r"\d+\.\d+s?(?:, ?\d+\.\d+s?)+")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A processor's output: the prompt with all tokens as text, and the tensors."""

    text: str
    tensors: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InputTimes:
    """Times in a model's input: seconds, one for each group of frames as `encoding` says.

    step: of a rotary grid, the seconds from one step to the next; None where the processor gives
    none, so that the model takes a default.
    """

    encoding: TimeEncoding
    times: Times
    step: float | None = None


class Reader:
    """Reads the times out of model inputs for one checkpoint."""

    def __init__(self, adapter: Adapter, encoding: TimeEncoding, config: Any) -> None:
        """encoding: the adapter's. config: the model's configuration, as transformers reads it."""
        by_processor = encoding.rule in (TimeRule.ROTARY, TimeRule.STAMPS)
        self._processor = encoding if by_processor and adapter.media == "video" else None
        self._text = time_text.ENCODINGS.get(adapter.time_text) if adapter.time_text else None
        self._header = adapter.time_text == "header"
        self._rates = tuple(float(rate) for rate in _settings(config, GRID_RATES))

    def read(self, item: ModelInput, listed: bool) -> list[InputTimes]:
        """Return what is told, our own text first; nothing where no times reach the model.

        listed: the protocol's own prompt lists the frames' times, in the header's place.
        """
        by_processor = [] if self._processor is None else [self._read(self._processor, item)]
        if self._text is not None and not (self._header and listed):
            return [self._read(self._text, item), *by_processor]
        return by_processor or ([_list(item.text)] if listed else [])

    def _read(self, encoding: TimeEncoding, item: ModelInput) -> InputTimes:
        if encoding.rule is not TimeRule.ROTARY:
            return InputTimes(encoding, np.array(encoding.read(item.text)))
        rate = self._rate(1 / encoding.resolution)
        encoding = replace(encoding, resolution=1 / rate)
        grid = item.tensors.get(GRID)
        groups = 0 if grid is None else int(grid[0][0])
        step = next((item.tensors[name] for name in GRID_STEPS if name in item.tensors), None)
        if step is None:
            return InputTimes(encoding, np.empty(0))
        seconds = float(step[0])
        return InputTimes(encoding, np.floor(np.arange(groups) * seconds * rate) / rate, seconds)

    def _rate(self, declared: float) -> float:
        """Return the model's positions a second: the declared ones if its configuration agrees.

        Models of several parts have a rate for each.
        """
        if not self._rates or any(math.isclose(rate, declared) for rate in self._rates):
            return declared
        return self._rates[0]


def _list(text: str) -> InputTimes:
    """Return the longest list of times in a prompt, one for each frame."""
    longest = max((match[0] for match in LIST.finditer(text)), key=len, default="")
    numbers = re.findall(r"\d+\.(\d+)", longest)
    decimals = len(numbers[0]) if numbers else 1
    encoding = TimeEncoding(TimeRule.STAMPS, resolution=10.0**-decimals)
    return InputTimes(encoding, np.array([float(t) for t in re.findall(r"\d+\.\d+", longest)]))


def declared_encoding(adapter: Adapter) -> TimeEncoding | None:
    """Return how an adapter says that times reach the model, None where it does not."""
    encoding = getattr(adapter, "time_encoding", None)
    return encoding if isinstance(encoding, TimeEncoding) else None


def frames_shown(item: ModelInput, request: Request) -> tuple[int, ...]:
    """Return how many frames the pixels may be of, those added by padding included.

    Pictures, patches of one frame each, and patches one after the other look alike, so there may
    be several numbers. Empty where frames travel as images, or there are no pixels.
    """
    assert request.frames is not None
    pixels = next((item.tensors[name] for name in PIXELS if name in item.tensors), None)
    if pixels is None or request.media != "video":
        return ()
    shape: tuple[int, ...] = tuple(pixels.shape)
    height, width = request.frames.array.shape[1:3]
    whole, rest = divmod(math.prod(shape), CHANNELS * height * width)
    leading = [math.prod(shape[:-size]) for size in (2, 3) if len(shape) > size]
    return (*leading, *(() if rest else (whole,)))


def _settings(config: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values of these names in a configuration and its parts."""
    table = config.to_dict() if hasattr(config, "to_dict") else config
    if isinstance(table, Mapping):
        for name, value in table.items():
            if name in names and isinstance(value, int | float):
                yield value
            yield from _settings(value, names)
