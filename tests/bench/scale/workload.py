"""The videos, questions and costs of a large run, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtg_eval.run.plan import VideoJob
from vtg_eval.types import Sample, Span, Target

MEAN_HOURS = 1.0
LENGTH_SIGMA = 1.0  # of the logarithm: a video in a hundred is longer than 6 hours
QUERY_SIGMA = 0.8


@dataclass(frozen=True, slots=True)
class Costs:
    """What a video costs.

    packet: core seconds for each packet that is decoded. probe: core seconds for each second of a
    video, to read its time stamps. rate: frames a second. group: frames between key frames. frames:
    how many are asked for. speed: prompt tokens that an engine computes in a second. vision, query:
    tokens of a video, which are computed once, and of one of its questions with its answer.
    """

    packet: float = 2.7e-3
    probe: float = 4e-4
    rate: int = 25
    group: int = 50
    frames: int = 768
    speed: float = 10_000.0
    vision: int = 14_336
    query: int = 150

    def decode(self, seconds: float) -> float:
        """Return the core seconds to decode a video of this length."""
        packets = seconds * self.rate
        between = max(packets / self.frames, 1.0)
        # within a group of pictures all is decoded up to the last frame that is asked for
        if between >= self.group:
            share = (self.group / 2 + 1) / between
        else:
            share = 1 - (between - 1) / (2 * self.group)
        return self.probe * seconds + self.packet * packets * share


@dataclass(frozen=True, slots=True)
class Workload:
    """The jobs in the order of a plan, and what each video costs.

    decode: core seconds by video. vision, query: seconds of an engine for a video, for a question.
    """

    jobs: tuple[VideoJob, ...]
    decode: dict[str, float]
    vision: float
    query: float

    @property
    def core_seconds(self) -> float:
        """All decoding, in seconds of one core."""
        return sum(self.decode.values())

    @property
    def engine_seconds(self) -> float:
        """All computing, in seconds of one engine."""
        return sum(self.vision + self.query * len(job.samples) for job in self.jobs)


def skewed(count: int, mean: float, sigma: float, generator: np.random.Generator) -> list[float]:
    """Return log-normal values, scaled to this mean."""
    values = generator.lognormal(0.0, sigma, count)
    return [float(value) for value in values * (mean / values.mean())]


def make_workload(videos: int, queries: float, costs: Costs, seed: int) -> Workload:
    """Draw the videos, with so many questions each on average, at least one."""
    generator = np.random.default_rng(seed)
    seconds = skewed(videos, MEAN_HOURS * 3600, LENGTH_SIGMA, generator)
    counts = _rounded(skewed(videos, queries, QUERY_SIGMA, generator), round(videos * queries))
    order = sorted(range(videos), key=lambda number: -seconds[number])  # as `make_plan` has it
    jobs = tuple(_job(f"v{n:06}", seconds[n], counts[n]) for n in order)
    decode = {f"v{n:06}": costs.decode(seconds[n]) for n in range(videos)}
    return Workload(jobs, decode, costs.vision / costs.speed, costs.query / costs.speed)


def _rounded(values: list[float], total: int) -> list[int]:
    """Return whole numbers, at least 1, whose sum is about `total`."""
    counts = [max(1, round(value)) for value in values]
    excess = sum(counts) - total
    for number in sorted(range(len(counts)), key=lambda number: -counts[number])[: abs(excess)]:
        counts[number] = max(1, counts[number] - (1 if excess > 0 else -1))
    return counts


def _job(video: str, seconds: float, count: int) -> VideoJob:
    samples = tuple(
        Sample(f"{video}/{n}", video, f"a person does thing {n} of {video}", _target(n), seconds)
        for n in range(count)
    )
    return VideoJob(video, Path(f"{video}.mp4"), samples)


def _target(number: int) -> Target:
    return Target((Span(float(number), number + 5.0),))
