"""The cost of a run, from annotations alone: no video is opened, no engine started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtg_eval.adapter import Adapter
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.run.plan import Plan, VideoJob
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import choose

# assumed size of all videos, which annotations do not have; most frame budgets reduce it
HEIGHT, WIDTH, FPS = 720, 1280, 30.0
UNKNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """The remaining cost of a run. Frames are exact where durations are annotated, else for 60 s.

    tokens: the visual tokens of all prompts together, at most. shared_tokens: those left where each
    video's are computed once for all its samples. answer_tokens: of all answers, at most. disk:
    bytes of decoded frames for videos of 1280 x 720 px; memory: of those of the largest video.
    seconds: at the speed of an earlier run here, without the start of the engines; None if unknown.
    """

    samples: int
    videos: int
    frames: int = 0
    tokens: int = 0
    shared_tokens: int = 0
    answer_tokens: int = 0
    disk: int = 0
    memory: int = 0
    seconds: float | None = None


def estimate(plan: Plan, adapter: Adapter, protocol: ResolvedProtocol) -> RunEstimate:
    """Estimate the cost of the plan's jobs."""
    samples = sum(len(job.samples) for job in plan.jobs)
    answers = samples * protocol.generation.max_new_tokens
    if not adapter.needs_frames:
        return RunEstimate(samples, len(plan.jobs), answer_tokens=answers)
    rule = protocol.frames
    frames = tokens = shared = disk = memory = 0
    for job in plan.jobs:
        count = _frames(job, rule)
        height, width = adapter.frame_size(HEIGHT, WIDTH, count, rule)
        size = count * height * width * 3
        most = adapter.most_tokens(count, rule)
        frames += count
        disk += size
        memory = max(memory, size)
        tokens += most * len(job.samples)
        shared += most
    return RunEstimate(samples, len(plan.jobs), frames, tokens, shared, answers, disk, memory)


def _frames(job: VideoJob, rule: FrameRule) -> int:
    seconds = job.duration if np.isfinite(job.duration) else UNKNOWN_SECONDS
    times = np.arange(max(1, round(seconds * FPS))) / FPS
    return len(choose(VideoInfo("", seconds, FPS, HEIGHT, WIDTH, times), rule))
