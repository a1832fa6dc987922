"""How long the questions of a stage are, by the protocol's frames and the model's tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtg_eval.protocol import FrameRule
from vtg_eval.run.estimate import FPS, HEIGHT, UNKNOWN_SECONDS, WIDTH
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import PAIR, choose

from ..data.contexts import SampleContexts
from ..data.sample import TrainingSample, load_samples
from .model_size import ModelSize

CHARACTERS = 4  # of English text in a token


class Questions(NamedTuple):
    """The questions of a stage. samples: None where the data does not exist yet.

    frames: of the longest video; visual, mean_visual: tokens of videos, the most and the mean;
    longest, mean: tokens of whole questions.
    """

    samples: int | None
    frames: int
    visual: int
    mean_visual: float
    longest: int
    mean: float


def stage_questions(files: Sequence[str], contexts: SampleContexts, size: ModelSize) -> Questions:
    """Return the questions of the samples in some files; one of no task where a file is missing."""
    samples = _samples(files)
    asked = [(s.duration or UNKNOWN_SECONDS, contexts.of(s).protocol) for s in samples]
    asked = asked or [(UNKNOWN_SECONDS, contexts.without_task)]
    shown = [shown_tokens(seconds, protocol.frames, size) for seconds, protocol in asked]
    texts = [len(p.prompt.system + p.prompt.text) // CHARACTERS for _, p in asked]
    lengths = [
        tokens + size.stamp * frames // PAIR + text
        for (frames, tokens), text in zip(shown, texts, strict=True)
    ]
    return Questions(
        samples=len(samples) or None,
        frames=max(frames for frames, _ in shown),
        visual=max(tokens for _, tokens in shown),
        mean_visual=sum(tokens for _, tokens in shown) / len(shown),
        longest=max(lengths),
        mean=sum(lengths) / len(lengths),
    )


def shown_tokens(seconds: float, rule: FrameRule, size: ModelSize) -> tuple[int, int]:
    """Return the number of frames and of visual tokens for a video of that length (seconds)."""
    times = np.arange(max(1, round(seconds * FPS))) / FPS
    frames = len(choose(VideoInfo("", seconds, FPS, HEIGHT, WIDTH, times), rule))
    frame = round(HEIGHT / size.factor) * round(WIDTH / size.factor)
    share = max(rule.total_tokens * PAIR // frames, rule.min_tokens)
    return frames, math.ceil(frames / PAIR) * min(
        max(frame, rule.min_tokens), rule.max_tokens, share
    )


def _samples(files: Sequence[str]) -> Sequence[TrainingSample]:
    """Return all samples, none where a file does not exist yet."""
    paths = list(map(Path, files))
    return load_samples(paths) if all(path.is_file() for path in paths) else ()
