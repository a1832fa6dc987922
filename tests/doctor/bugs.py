"""The published bugs of times, each as the change that made it, at the place where it was made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vtg_eval.adapter import Adapter
from vtg_eval.doctor import findings
from vtg_eval.doctor.findings import Finding
from vtg_eval.doctor.input_times import GRID_STEPS
from vtg_eval.engines.base import Request
from vtg_eval.model_input import time_text
from vtg_eval.model_input.time_encoding import TICKS, TimeEncoding, TimeRule

STAMPS, ROTARY = TimeRule.STAMPS, TimeRule.ROTARY
UNTOLD = (TimeRule.ORDINALS, TimeRule.NOTHING)  # the harness tells the times in a header
HEADER = time_text.ENCODINGS["header"]
IMAGES = time_text.ENCODINGS["interleaved"]

Call = Callable[[Any, dict[str, Any]], Any]
"""A processor's call: from the processor and its arguments to its output."""
Change = Callable[[Adapter, Request], Request]


@dataclass(frozen=True, slots=True)
class Bug:
    """A published bug.

    finding: what the doctor must say. rules: the ways of telling times that it can hit. call: how
    the harness then calls the processor. change: the request that it then makes. also: findings
    that are as right where two bugs tell a family the same. images: it hits frames that travel as
    images. only: which encodings of these rules it can hit.
    """

    name: str
    source: str
    finding: Finding
    rules: tuple[TimeRule, ...]
    call: Call | None = None
    change: Change | None = None
    also: tuple[Finding, ...] = ()
    images: bool = False
    only: Callable[[TimeEncoding], bool] = lambda encoding: True

    def hits(self, adapter: Adapter) -> bool:
        """Tell whether it can hit the family of an adapter."""
        encoding = getattr(adapter, "time_encoding")  # noqa: B009 - not all adapters have it
        if self.images:
            return bool(getattr(adapter, "image", ""))
        return encoding.rule in self.rules and self.only(encoding)


class ChangedAdapter:
    """An adapter whose requests are changed by a bug."""

    def __init__(self, adapter: Adapter, change: Change) -> None:
        self._adapter = adapter
        self._change = change

    def request(self, *arguments: Any) -> Request:
        return self._change(self._adapter, self._adapter.request(*arguments))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class ChangedProcessor:
    """A processor that is called as by a harness with a bug."""

    def __init__(self, processor: Any, call: Call) -> None:
        self._processor = processor
        self._call = call

    def __call__(self, **arguments: Any) -> Any:
        return self._call(self._processor, arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)


def _without_metadata(processor: Any, arguments: dict[str, Any]) -> Any:
    """As lmms-eval: the frames go to the processor, what was known of them does not."""
    arguments.pop("video_metadata", None)
    arguments["videos_kwargs"].pop("fps", None)
    return processor(**arguments)


def _sampled_again(processor: Any, arguments: dict[str, Any]) -> Any:
    """As lmms-eval: every second of the chosen frames is taken, their times stay."""

    def half(videos: Any) -> Any:
        return [*map(half, videos)] if isinstance(videos, list) else videos[::2]

    arguments["videos"] = half(arguments["videos"])
    return processor(**arguments)


def _without_step(processor: Any, arguments: dict[str, Any]) -> Any:
    """As engines that pass on the tensors they know: the model takes its default."""
    outputs = processor(**arguments)
    for name in GRID_STEPS:
        outputs.pop(name, None)
    return outputs


def _default_step(processor: Any, arguments: dict[str, Any]) -> Any:
    """As vLLM's Qwen3-Omni where the processor's arguments have no seconds per grid step."""
    outputs = processor(**arguments)
    for name in filter(outputs.__contains__, GRID_STEPS):
        outputs[name] = outputs[name] * 0 + 2.0
    return outputs


def _whole_step(processor: Any, arguments: dict[str, Any]) -> Any:
    """As transformers 4: the step becomes a whole number before it is multiplied."""
    outputs = processor(**arguments)
    for name in filter(outputs.__contains__, GRID_STEPS):
        outputs[name] = outputs[name].long()
    return outputs


def _with_metadata(adapter: Adapter, request: Request, **metadata: Any) -> Request:
    """Return the request with other metadata, also where the processor takes it as arguments."""
    videos = dict(request.processor_kwargs.get("videos_kwargs", {}))
    if "fps" in videos:
        videos["fps"] = metadata["fps"]
    return replace(
        request,
        metadata={**request.metadata, **metadata},
        processor_kwargs={**request.processor_kwargs, "videos_kwargs": videos},
    )


def _numbers(request: Request) -> list[int]:
    """Return the numbers of the request's frames in their file."""
    assert request.frames is not None
    times = request.frames.info.times
    return [int(i) for i in np.searchsorted(times, request.frames.times - 1e-6)]


def _listed(request: Request, times: np.ndarray[Any, Any]) -> Request:
    """Return the request with other times in its header."""
    listed = ", ".join(f"{time:.1f}" for time in times)
    return replace(request, prompt=re.sub(HEADER.passage, listed, request.prompt))


def _average_rate(adapter: Adapter, request: Request) -> Request:
    assert request.frames is not None
    fps = request.frames.info.fps
    numbers = _numbers(request)
    if adapter.time_text == "header":
        return _listed(request, np.array(numbers) / fps)
    return _with_metadata(adapter, request, frames_indices=numbers, fps=fps)


def _no_rate(adapter: Adapter, request: Request) -> Request:
    assert request.frames is not None
    total = len(request.frames.info.times)
    numbers = _numbers(request)
    return _with_metadata(
        adapter, request, frames_indices=numbers, fps=None, total_num_frames=total
    )


def _indices(adapter: Adapter, request: Request) -> Request:
    """As Qwen3-VL's own script for lists of frames: frame i has the number i, at 1 a second."""
    assert request.frames is not None
    order = np.arange(len(request.frames.times))
    if adapter.time_text == "header":
        return _listed(request, order)
    return _with_metadata(
        adapter, request, frames_indices=order.tolist(), fps=1.0, total_num_frames=len(order)
    )


def _whole_seconds(adapter: Adapter, request: Request) -> Request:
    assert request.frames is not None
    whole = np.floor(request.frames.times)
    if adapter.time_text == "header":
        return _listed(request, whole)
    ticks = [int(second) * TICKS for second in whole]
    return _with_metadata(adapter, request, frames_indices=ticks, fps=float(TICKS))


def _padded(adapter: Adapter, request: Request) -> Request:
    """The last frame is repeated for a pair, and gets the time at which the next one would be."""
    assert request.frames is not None
    frames = request.frames
    if len(frames.times) % 2 == 0:
        return request
    ticks = np.rint(frames.times * TICKS).astype(int).tolist()
    ticks.append(2 * ticks[-1] - ticks[-2])
    array = np.concatenate([frames.array, frames.array[-1:]])
    changed = replace(request, frames=replace(frames, array=array, digest=f"{frames.digest}-p"))
    return _with_metadata(adapter, changed, frames_indices=ticks, fps=float(TICKS))


def _empty(adapter: Adapter, request: Request) -> Request:
    return replace(request, prompt=re.sub(HEADER.passage, "", request.prompt))


def _untimed_images(adapter: Adapter, request: Request) -> Request:
    return replace(request, prompt=re.sub(IMAGES.stamp, "", request.prompt))


BUGS = (
    Bug(
        "metadata dropped",
        "lmms-eval#1260, vllm#47736",
        findings.METADATA,
        (STAMPS, ROTARY),
        call=_without_metadata,
        # where the processor's default is one frame a second, it is as numbers for times
        also=(findings.DEFAULT_GRID, findings.INDICES, findings.NO_INPUT),
    ),
    Bug(
        "frames sampled twice",
        "lmms-eval#674, #1535",
        findings.SAMPLED_TWICE,
        (STAMPS, ROTARY, *UNTOLD),
        call=_sampled_again,
        also=(findings.NO_INPUT,),
    ),
    Bug(
        "average rate on a file of variable rate",
        "decord's get_avg_fps in most harnesses",
        findings.AVERAGE,
        (STAMPS, *UNTOLD),
        change=_average_rate,
    ),
    Bug(
        "default of frames a second",
        "transformers' VideoMetadata: 24",
        findings.DEFAULT_RATE,
        (STAMPS, ROTARY),
        change=_no_rate,
        also=(findings.METADATA, findings.DEFAULT_GRID, findings.INDICES, findings.NO_INPUT),
    ),
    Bug(
        "default of seconds per grid step",
        "vLLM's Qwen3-Omni: 2.0",
        findings.DEFAULT_GRID,
        (ROTARY,),
        call=_default_step,
    ),
    Bug(
        "no seconds per grid step",
        "lmms-eval#1393",
        findings.DEFAULT_GRID,
        (ROTARY,),
        call=_without_step,
    ),
    Bug(
        "whole seconds",
        "int(timestamp) in processors",
        findings.TRUNCATED,
        (STAMPS, *UNTOLD),
        change=_whole_seconds,
        only=lambda encoding: encoding.rule in UNTOLD or encoding.resolution < 1,
    ),
    Bug(
        "whole seconds per grid step",
        "lmms-eval#1393",
        findings.TRUNCATED,
        (ROTARY,),
        call=_whole_step,
    ),
    Bug(
        "images without times",
        "lmms-eval#1404",
        findings.IMAGES,
        (),
        change=_untimed_images,
        images=True,
    ),
    Bug(
        "odd count padded with a new time",
        "Qwen3-VL's pairs",
        findings.ODD_COUNT,
        (STAMPS,),
        change=_padded,
        only=lambda encoding: encoding.frames == 1 or encoding.moment == "mean",
        also=(findings.SAMPLED_TWICE,),
    ),
    Bug(
        "stamps from indices",
        "Qwen3-VL#2117",
        findings.INDICES,
        (STAMPS, ROTARY, *UNTOLD),
        change=_indices,
        also=(findings.DEFAULT_GRID,),
    ),
    Bug(
        "stamps silently empty",
        "Keye-VL's `timestamps`",
        findings.EMPTY,
        (STAMPS, *UNTOLD),
        change=_empty,
    ),
)


def strip_stamps(adapter: Adapter) -> Call:
    """Return a call that leaves out the processor's stamps, as where it gets no times."""
    stamp = getattr(adapter, "time_encoding").stamp  # noqa: B009

    def call(processor: Any, arguments: dict[str, Any]) -> Any:
        outputs = processor(**arguments)
        text = processor.tokenizer.decode(outputs["input_ids"][0])
        ids = processor.tokenizer(re.sub(stamp, "", text), add_special_tokens=False)
        outputs["input_ids"] = outputs["input_ids"].new_tensor([ids["input_ids"]])
        return outputs

    return call
