"""The engine interface: a stream of requests in, a stream of completions out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from vtg_eval.engines.server.chat import Chat
from vtg_eval.engines.server.options import ServerOptions
from vtg_eval.errors import one_line
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule
from vtg_eval.video.frames import Frames

Media = Literal["video", "images"]


@dataclass(frozen=True, slots=True)
class Request:
    """One sample as the model's input.

    `prompt` is text with the model's placeholders, `frames` uint8 [T, H, W, 3] with their times.
    `media`: whether the frames are one video, or as many images, each with its placeholder.
    `metadata` what the model's processor gets with them (always `do_sample_frames: False`),
    `processor_kwargs` further processor arguments. `packed` names the processor's tensors in which
    several inputs follow one another in the last dimension, not in the first. `model_times` are the
    times in seconds that reach the model, one for each frame or group of frames (or as the model's
    grid has it). `answer` is set where the answer exists already (baseline, replay). `answer_start`
    is what the prompt has already written of the answer: the mark of an opened thought. `escaped`
    counts the special tokens in the sample's text that were escaped. `chat` is the input as a
    conversation, for servers; `prompt` is then the same as readable text.
    """

    sample_id: str
    prompt: str
    frames: Frames | None = None
    media: Media = "video"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    processor_kwargs: Mapping[str, Any] = field(default_factory=dict)
    packed: tuple[str, ...] = ()
    model_times: tuple[float, ...] = ()
    answer: str | None = None
    answer_start: str = ""
    escaped: int = 0
    chat: Chat | None = None

    def __post_init__(self) -> None:
        require_types(self, str, "sample_id", "prompt", "answer_start")
        require_types(self, str | None, "answer")
        require_types(self, Frames | None, "frames")
        require_types(self, Chat | None, "chat")
        require_types(self, int, "escaped")
        if not all(map(math.isfinite, self.model_times)):
            raise ValueError("Request.model_times has a time that is not finite")


ENGINE_FINISHES = (
    Finish.STOP,
    Finish.LENGTH,
    Finish.REFUSED,
    Finish.ERROR,
    Finish.NON_FINITE,
)


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer. `finish` is one of `ENGINE_FINISHES`; `error` says what failed.

    Their plain values ("stop", "length", "error") are accepted too. cached_tokens: of the prompt's
    tokens those that were computed for an earlier prompt (prefix cache); None where the engine does
    not say. They are no part of the answer, and are not compared.
    """

    sample_id: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish: Finish
    error: str | None = None
    prompt_token_ids: tuple[int, ...] = ()
    cached_tokens: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        require_types(self, str, "sample_id", "text")
        require_types(self, str | None, "error")
        require_types(self, int, "prompt_tokens", "completion_tokens")
        require_types(self, int | None, "cached_tokens")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a user may set on any engine; `extra` goes to the engine's own constructor.

    images: the most images in one prompt, where frames travel as images; 0 where they are a video.
    lora: a LoRA folder to apply to the checkpoint. server: set where the model is on one.
    """

    dtype: str = "auto"
    seed: int = 0
    batch_size: int = 8
    trust_remote_code: bool = False
    images: int = 0
    lora: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    server: ServerOptions | None = None


@dataclass(frozen=True, slots=True)
class EngineInput:
    """What an engine gives the model for one request: token ids, and each tensor as one row."""

    ids: tuple[int, ...]
    tensors: Mapping[str, Any] = field(default_factory=dict)


Probe = Callable[[], Request]


class Engine(ABC):
    """Runs one checkpoint. Starting it (the constructor) may take a minute.

    applies_lora: whether it applies `EngineOptions.lora`; others are not given one.
    """

    applies_lora = False

    @classmethod  # noqa: B027 - an engine may have nothing to check
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        """Raise UserError for options that the engine does not have; it reads no weights."""

    @classmethod  # noqa: B027 - engines that load no weights have nothing to check
    def check(cls, checkpoint: Path, options: EngineOptions, probe: Probe) -> None:
        """Raise UserError for a checkpoint that the engine cannot run; it reads no weights.

        Called before any video is read, and only where there is a sample to answer. probe: returns
        a request on a black video, to prepare as any other.
        """

    @abstractmethod
    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        """Load the checkpoint; raises UserError when it cannot be loaded."""

    @abstractmethod
    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer the requests, in any order, each as soon as it is ready.

        Takes requests from the stream only when there is room for them, so the requests in
        flight bound the memory. A request that fails becomes a completion with `Finish.ERROR`.
        """

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Return versions, dtype, device and every argument that can change an answer."""

    def model_input(self, request: Request) -> EngineInput | None:
        """Return what the model gets for a request, None where that cannot be shown.

        Raises what `generate` makes a failed completion of.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most engines have nothing to release
        """Release processes and memory."""


def require_types(owner: object, kind: type | UnionType, *names: str) -> None:
    """Raise TypeError where an attribute is not of that type: a plug-in may have set anything."""
    for name in names:
        value = getattr(owner, name)
        if not isinstance(value, kind):
            needed = kind.__name__ if isinstance(kind, type) else str(kind)
            raise TypeError(f"{type(owner).__name__}.{name} is {value!r:.40}; it must be {needed}")


def failed(request: Request, reason: str) -> Completion:
    """Return the completion of a request that cannot be answered; `reason` as one line."""
    return Completion(request.sample_id, "", 0, 0, Finish.ERROR, error=one_line(reason))


def non_finite(request: Request, prompt_ids: Sequence[int], tokens: int) -> Completion:
    """Return the completion of a request whose logits were NaN or infinite after `tokens` tokens.

    The text is empty: what follows such logits is not the model's.
    """
    return Completion(
        sample_id=request.sample_id,
        text="",
        prompt_tokens=len(prompt_ids),
        completion_tokens=tokens,
        finish=Finish.NON_FINITE,
        error=f"the logits of token {tokens + 1} of the answer are NaN or infinite",
        prompt_token_ids=tuple(prompt_ids),
    )
