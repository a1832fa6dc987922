"""A tiny checkpoint, its adapter and a dozen requests, for tests of adapters and engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.tiny_families import qwen2_5_vl, qwen3_vl
from vtg_eval.adapter import Adapter, InputOptions, TimeText
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.base import Request
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.types import Sample, Target
from vtg_eval.video.frames import Frames, VideoInfo

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2_5_vl": qwen2_5_vl.build,
    "qwen3_vl": qwen3_vl.build,
}
PROTOCOL = ResolvedProtocol(
    name="test@1",
    summary="",
    source="",
    frames=FrameRule(min_tokens=4, max_tokens=12),
    prompt=PromptRule(text="When does this happen: {query}"),
)
EVEN = np.arange(8) / 2
UNEVEN = np.array([0.0, 0.4, 1.1, 1.5, 2.2, 2.9, 4.0, 4.1])
LATE = np.arange(6) / 4 + 0.25


@dataclass(frozen=True, slots=True)
class RunSetup:
    """One family's checkpoint and requests that have several queries on several videos."""

    family: str
    folder: Path
    adapter: Adapter
    requests: tuple[Request, ...]


def make_setup(family: str, folder: Path) -> RunSetup:
    """Build the checkpoint in `folder` and requests for it."""
    FAMILIES[family](folder)
    adapter = make_adapter(folder)
    videos = [make_frames(adapter, times, seed) for seed, times in enumerate((EVEN, UNEVEN, LATE))]
    queries = (
        "the red square moves",
        "A man opens the door, then\nleaves.",
        "été — 夏",
        "it stops",
    )
    requests = tuple(
        adapter.request(sample(f"{v}/{q}", query), frames, PROTOCOL)
        for v, frames in enumerate(videos)
        for q, query in enumerate(queries)
    )
    return RunSetup(family, folder, adapter, requests)


def make_adapter(folder: Path, time_text: TimeText | None = None) -> Adapter:
    """Return the adapter that the registry finds for a checkpoint."""
    registry = Registry.discover()
    checkpoint, entry = resolve(str(folder), registry, InputOptions(time_text))
    adapter: Adapter = registry.adapter(entry.name)(checkpoint)
    return adapter


def make_frames(adapter: Adapter, times: npt.ArrayLike, seed: int = 0) -> Frames:
    """Return noise at these times, at the size that the adapter gives a 200 x 140 px video."""
    stamps = np.asarray(times, dtype=np.float64)
    height, width = adapter.frame_size(140, 200, len(stamps), PROTOCOL.frames)
    array = np.random.default_rng(seed).integers(
        0, 256, (len(stamps), height, width, 3), dtype=np.uint8
    )
    info = VideoInfo("video", float(stamps[-1]) + 0.5, 24.0, 140, 200, stamps)
    return Frames(array, stamps, f"frames-{seed}-{array.shape}", "noise 1", info)


def sample(key: str, query: str) -> Sample:
    """Return a sample without a target."""
    return Sample(key, "video", query, Target(), duration=10.0)
