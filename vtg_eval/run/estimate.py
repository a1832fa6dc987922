"""The cost of a run, from annotations alone: no video is opened, no engine started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtg_eval.adapter import Adapter
from vtg_eval.protocol import FrameRule
from vtg_eval.run.plan import Plan, VideoJob
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import choose

# assumed size of all videos, which annotations do not have; most frame budgets reduce it
HEIGHT, WIDTH, FPS = 720, 1280, 30.0
UNKNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """The remaining cost of a run. Frames are exact where durations are annotated, else for 60 s.

    `tokens` are the visual tokens of all prompts together, at most; `disk` bytes of decoded
    frames for videos of 1280 x 720 px.
    """

    samples: int
    videos: int
    frames: int
    tokens: int
    disk: int


def estimate(plan: Plan, adapter: Adapter, rule: FrameRule) -> RunEstimate:
    """Estimate the cost of the plan's jobs."""
    samples = sum(len(job.samples) for job in plan.jobs)
    if not adapter.needs_frames:
        return RunEstimate(samples, len(plan.jobs), 0, 0, 0)
    frames = tokens = disk = 0
    for job in plan.jobs:
        count = _frames(job, rule)
        height, width = adapter.frame_size(HEIGHT, WIDTH, count, rule)
        frames += count
        disk += count * height * width * 3
        tokens += adapter.most_tokens(count, rule) * len(job.samples)
    return RunEstimate(samples, len(plan.jobs), frames, tokens, disk)


def _frames(job: VideoJob, rule: FrameRule) -> int:
    seconds = job.duration if np.isfinite(job.duration) else UNKNOWN_SECONDS
    times = np.arange(max(1, round(seconds * FPS))) / FPS
    return len(choose(VideoInfo("", seconds, FPS, HEIGHT, WIDTH, times), rule))
