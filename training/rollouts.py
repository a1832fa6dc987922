"""Rollouts: several answers of one checkpoint to each training sample, for vtg-eval's executor.

They are asked under ids like "<id>#3". So each answer has a seed of its own and does not depend on
order, batches, interruptions or the number of devices.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtg_eval.protocol import FrameRule, GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.engine_work import EngineWork
from vtg_eval.run.executor import Assignment, Questions
from vtg_eval.run.manifest import check_same, installed_versions
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.requests import SampleContext
from vtg_eval.run.setup import Model, RunOptions
from vtg_eval.types import Sample, Span

from .data.contexts import SampleContexts
from .data.sample import TrainingSample
from .recipe import DifficultyRule, ModelRule

MARK = "#"  # between a sample's id and the rollout's number


def rollout_ids(sample: TrainingSample, rollouts: int) -> list[str]:
    """Return the ids of a sample's rollouts."""
    return [f"{sample.id}{MARK}{number}" for number in range(rollouts)]


@dataclass(frozen=True, slots=True)
class RolloutAssignment(Assignment):
    """Rollouts of which a worker answers some.

    samples: all that are asked. identity: of their `Rollouts`. versions: of the packages that can
    change an answer.
    """

    samples: tuple[TrainingSample, ...]
    identity: Mapping[str, Any]
    versions: Mapping[str, str]


class Rollouts:
    """The rollouts of a model by a recipe's rules."""

    def __init__(
        self, rule: ModelRule, difficulty: DifficultyRule, model: Model, registry: Registry
    ) -> None:
        self.contexts = SampleContexts(rule, model.checkpoint.path, registry)
        self._model = model
        self._difficulty = difficulty

    def questions(self, samples: Sequence[TrainingSample]) -> Questions:
        """Return what is asked: all rollouts of the samples."""
        contexts = {sample.id: self.contexts.of(sample) for sample in samples}

        def context(rollout: Sample) -> SampleContext:
            return contexts[rollout.id.rpartition(MARK)[0]]

        return Questions(
            [rollout for sample in samples for rollout in self._of(sample)],
            context,
            GenerationRule(
                max_new_tokens=self._difficulty.max_new_tokens,
                decoding="sample",
                temperature=self._difficulty.temperature,
            ),
        )

    def jobs(
        self, samples: Sequence[TrainingSample], videos: Path, done: Collection[str]
    ) -> list[VideoJob]:
        """Return the rollouts to ask, grouped by video, long videos first. done: ids to leave out.

        videos: the folder of the videos.
        """
        groups: dict[tuple[str, Span | None, FrameRule], list[Sample]] = {}
        for sample in samples:
            key = (sample.video, sample.clip, self.contexts.of(sample).protocol.frames)
            rollouts = [rollout for rollout in self._of(sample) if rollout.id not in done]
            groups.setdefault(key, []).extend(rollouts)
        jobs = [
            VideoJob(video, videos / video, tuple(group), group[0].clips)
            for (video, *_), group in groups.items()
            if group
        ]
        return sorted(jobs, key=lambda job: (-job.duration, job.video, job.clips))

    def identity(self, samples: Sequence[TrainingSample]) -> dict[str, Any]:
        """Return what of the model and the samples' tasks the answers depend on."""
        protocols = dict.fromkeys(self.contexts.of(sample).protocol for sample in samples)
        return {
            "checkpoint": self._model.digest,
            "protocols": [protocol.to_json() for protocol in protocols],
        }

    def assignment(self, samples: Sequence[TrainingSample], folder: Path) -> RolloutAssignment:
        """Return what workers are told. folder: where the engine's traceback is written."""
        identity = self.identity(samples)
        return RolloutAssignment(folder, tuple(samples), identity, installed_versions())

    def _of(self, sample: TrainingSample) -> list[Sample]:
        question = sample.to_sample()
        ids = rollout_ids(sample, self._difficulty.rollouts)
        return [replace(question, id=rollout) for rollout in ids]


class RolloutWork(EngineWork[RolloutAssignment]):
    """The work of a worker process."""

    def __init__(self, rule: ModelRule, difficulty: DifficultyRule, options: RunOptions) -> None:
        super().__init__(options)
        self._rollouts = Rollouts(rule, difficulty, self.model, self.registry)

    def questions(self, assignment: RolloutAssignment) -> Questions:
        """As `EngineWork.questions`."""
        check_same(
            {**self._rollouts.identity(assignment.samples), **installed_versions()},
            {**assignment.identity, **assignment.versions},
        )
        return self._rollouts.questions(assignment.samples)
