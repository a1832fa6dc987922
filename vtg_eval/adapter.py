"""The adapter interface: how a model family turns (sample, frames, protocol) into a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import Request
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.types import Sample
from vtg_eval.video.frames import Frames


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a `--model` argument refers to: a folder with config.json, or an adapter by name.

    `argument` is the part after the colon in "baseline:whole-video" or "replay:RUN". `lora`: a
    LoRA folder to apply to the model in `path`. `name`: in tables, never a path. `commits`: those
    of the repositories on the hub that it comes from, by their names.
    """

    reference: str
    path: Path | None
    architectures: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    argument: str = ""
    lora: Path | None = None
    name: str = ""
    commits: Mapping[str, str] = field(default_factory=dict)


class Adapter(ABC):
    """One model family. It reads the checkpoint's small files only, never its weights."""

    needs_frames = True

    @abstractmethod
    def __init__(self, checkpoint: Checkpoint) -> None:
        """Read what the family's input depends on; raises UserError when it is missing."""

    def begin(self, samples: Sequence[Sample]) -> None:  # noqa: B027 - most families need nothing
        """Receive all samples that a run asks, in the annotation's order, before its requests."""

    @abstractmethod
    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are shown."""

    @abstractmethod
    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the model's input for one sample, with its model times."""
