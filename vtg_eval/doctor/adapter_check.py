"""What the author of an adapter wants to see: one request, in words, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.doctor.clock_requests import ClockRequests
from vtg_eval.doctor.clock_videos import number_in, trials
from vtg_eval.doctor.input_times import InputTimes, ModelInput, Reader, declared_encoding
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.types import Sample

CLOCK = "variable rate"
REPEATED = re.compile(r"(<[^<>\s]+>)\1{2,}")  # a placeholder, once for each visual token


@dataclass(frozen=True, slots=True)
class FrameTime:
    """One group of frames: the true time of its moment, what is told of it, what is recorded.

    Seconds; input and recorded are None where there is none for it.
    """

    true: float
    input: float | None
    recorded: float | None


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """One request of an adapter and what the processor makes of it.

    encoding: how times are told, in words. placeholders: in the prompt, and visual tokens after the
    processor. tensors: type and shape by name. prompt: the expanded one, with repeated placeholders
    counted. times: one for each group of frames.
    """

    adapter: str
    encoding: str
    media: str
    frames: str
    placeholders: tuple[int, int]
    metadata: Mapping[str, Any]
    processor_kwargs: Mapping[str, Any]
    tensors: Mapping[str, str]
    prompt: str
    times: tuple[FrameTime, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **asdict(self),
            "metadata": _plain(self.metadata),
            "processor_kwargs": _plain(self.processor_kwargs),
        }


def clock_request(clocks: ClockRequests) -> tuple[Sample, Request]:
    """Return a question about the clock video of a variable rate."""
    trial = next(trial for trial in trials() if trial.name == CLOCK)
    frames = clocks.frames(trial)
    sample = clocks.sample(trial, frames)
    return sample, clocks.request(sample, frames)


def report(
    checkpoint: Checkpoint, adapter: Adapter, clocks: ClockRequests, request: Request, trust: bool
) -> AdapterReport:
    """Return what the checkpoint's processor makes of a request of `clock_request`.

    Raises UserError where there is no processor, and what the processor raises.
    """
    try:
        from vtg_eval.engines.loading import load_config, load_processor
        from vtg_eval.engines.model_inputs import InputBuilder
    except ImportError as exc:
        raise UserError(f'`doctor adapter` needs the extra hf (README, "Install"): {exc}') from exc
    assert checkpoint.path is not None and request.frames is not None
    processor = load_processor(checkpoint.path, trust)
    item = InputBuilder(processor).build(request)
    shown = ModelInput(processor.tokenizer.decode(item.ids), item.tensors)
    input_times: Sequence[InputTimes] = ()
    encoding = declared_encoding(adapter)
    if encoding is not None:
        reader = Reader(adapter, encoding, load_config(checkpoint.path, trust))
        input_times = reader.read(shown, clocks.listed)
    frames = request.frames
    count, height, width = frames.array.shape[:3]
    placeholder = getattr(adapter, "image" if request.media == "images" else "video", "")
    return AdapterReport(
        adapter=f"{type(adapter).__module__}.{type(adapter).__qualname__}",
        encoding=in_words(encoding, adapter.time_text),
        media=request.media,
        frames=f"{count} of {width} x {height} px, from {frames.info.width} x {frames.info.height}",
        placeholders=(
            request.prompt.count(placeholder) if placeholder else 0,
            sum(kind != 0 for kind in item.types),
        ),
        metadata=request.metadata,
        processor_kwargs=request.processor_kwargs,
        tensors={
            name: f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
            for name, value in item.tensors.items()
        },
        prompt=REPEATED.sub(_counted, shown.text),
        times=_times(input_times[0] if input_times else None, request),
    )


def in_words(encoding: TimeEncoding | None, time_text: str | None) -> str:
    """Return how times are told as a phrase."""
    if encoding is None:
        return "the adapter does not say (`time_encoding`)"
    words = str(encoding.rule)
    if encoding.rule in (TimeRule.ROTARY, TimeRule.STAMPS):
        group = "each frame" if encoding.frames == 1 else f"each {encoding.frames} frames"
        which = f", their {encoding.moment}" if encoding.frames > 1 else ""
        words += f", one for {group}{which}, in steps of {encoding.resolution:g} s"
    return words if time_text in (None, "none") else f"{words}; and our own text: {time_text}"


def _times(input_times: InputTimes | None, request: Request) -> tuple[FrameTime, ...]:
    assert request.frames is not None
    clock = next(trial.clock for trial in trials() if trial.name == CLOCK)
    true = np.array([clock.times[number_in(picture)] for picture in request.frames.array])
    if input_times is not None:
        true = input_times.encoding.moments(true)
    rows = [FrameTime(float(time), None, None) for time in true]
    texts = () if input_times is None else input_times.times.tolist()
    for number, row in enumerate(rows):
        rows[number] = replace(
            row,
            input=texts[number] if number < len(texts) else None,
            recorded=request.model_times[number] if number < len(request.model_times) else None,
        )
    return tuple(rows)


def _counted(match: re.Match[str]) -> str:
    return f"{match[1]} x {len(match[0]) // len(match[1])}"


def _plain(value: Any) -> Any:
    """Return values as JSON has them; others as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
