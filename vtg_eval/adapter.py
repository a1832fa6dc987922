"""The adapter interface: how a model family turns (sample, frames, protocol) into a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import Media, Request
from vtg_eval.engines.server.options import ServerOptions
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.types import Sample
from vtg_eval.types import Thinking as Thinking
from vtg_eval.types import TimeText as TimeText
from vtg_eval.video.frames import Frames
from vtg_eval.video.sampling import PAIR


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What a user may set of the model's input.

    time_text: how the frames' times are told as text; None: as the family does by default.
    thinking: whether the model writes down its thoughts; "default": as its chat template does.
    """

    time_text: TimeText | None = None
    thinking: Thinking = "default"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a `--model` argument refers to: a folder with config.json, or an adapter by name.

    `argument` is the part after the colon in "baseline:whole-video" or "replay:RUN". `options` are
    the user's, for the adapter. `server` is set where the model is on a server. `lora`: a LoRA
    folder to apply to the model in `path`. `name`: in tables, never a path. `commits`: those of the
    repositories on the hub that it comes from, by their names.
    """

    reference: str
    path: Path | None
    architectures: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    argument: str = ""
    options: InputOptions = field(default_factory=InputOptions)
    server: ServerOptions | None = None
    lora: Path | None = None
    name: str = ""
    commits: Mapping[str, str] = field(default_factory=dict)


class Adapter(ABC):
    """One model family. It reads the checkpoint's small files only, never its weights.

    media: how frames travel. time_text: how it tells times as text, thinking: the switch in its
    chat template; both are part of a run's identity. None, and "default", for families that have
    no choice. time_quantum: whole seconds (or more) to which the times that the model gets are
    rounded, 0 where they are finer; no answer can be expected to be finer than that.
    """

    needs_frames = True
    media: Media = "video"
    time_text: TimeText | None = None
    thinking: Thinking = "default"
    time_quantum: float = 0.0

    @abstractmethod
    def __init__(self, checkpoint: Checkpoint) -> None:
        """Read what the family's input depends on; raises UserError when it is missing."""

    @property
    def thinks_by_default(self) -> bool:
        """Whether the model writes down its thoughts at "default"."""
        return False

    def begin(self, samples: Sequence[Sample]) -> None:  # noqa: B027 - most families need nothing
        """Receive all samples that a run asks, in the annotation's order, before its requests."""

    def frame_rule(self, rule: FrameRule) -> FrameRule:
        """Return the protocol's rule as it holds for the family, which may allow fewer frames."""
        return rule

    @abstractmethod
    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        """Return the (height, width) in px at which `frames` frames of a video are shown."""

    def most_tokens(self, frames: int, rule: FrameRule) -> int:
        """Return the most visual tokens that `frames` frames of a video can have."""
        return min(frames // PAIR * rule.max_tokens, rule.total_tokens)

    @abstractmethod
    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        """Return the model's input for one sample, with its model times."""
