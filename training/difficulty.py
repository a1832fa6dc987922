"""Difficulty: how well the checkpoint that RL starts from answers each training sample.

difficulty.json     the owner record: all that the answers depend on; another recipe is refused
journal.jsonl       each answer when it is complete; answered rollouts are not asked again
difficulty.jsonl    the samples with their difficulties, written when all are answered

Each sample is asked several times, under ids like "<id>#3". So each answer has a seed of its own
and does not depend on order, batches or interruptions. The engines are vtg-eval's.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vtg_eval.engines.base import Engine, EngineOptions
from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.owned_folder import check_owner, lock_folder
from vtg_eval.protocol import FrameRule, GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.inference import EngineCache, run_inference, terminable
from vtg_eval.run.journal import Journal, Record, read_journal
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.run.progress import Progress
from vtg_eval.run.requests import RequestBuilder
from vtg_eval.run.setup import Model, RunOptions, find_model
from vtg_eval.types import OutputType, Sample, Span

from .data.contexts import SampleContexts
from .data.sample import Difficulty, TrainingSample, write_samples
from .recipe import DifficultyRule, Recipe, RewardRule
from .trainers.rewards import Reward

SHOWN = 5  # samples named in a message about those that cannot be asked
RESULT = "difficulty.jsonl"

Answers = Mapping[str, Record]


def run_difficulty(
    recipe: Recipe,
    samples: Sequence[TrainingSample],
    checkpoint: str,
    out: Path,
    registry: Registry,
) -> Path:
    """Ask the missing rollouts, then write the samples with their difficulties; returns that file.

    checkpoint: RL starts from it. Samples that cannot be asked are left out and named, up to the
    recipe's data.missing_share. Raises UserError where there are more, for a recipe without
    [difficulty], and where `out` holds the answers of another recipe.
    """
    rule = recipe.difficulty
    if rule is None:
        raise UserError(f"The recipe {recipe.name} has no [difficulty].")
    asked = tuple(samples[: rule.limit or None])
    rater = _Rater(recipe, rule, checkpoint, out, registry)
    record = out / "difficulty.json"
    with lock_folder(record, "folder of difficulties"):
        check_owner(record, rater.metadata(asked))
        result = out / RESULT
        if not result.is_file():
            answers = rater.answers(asked)
            kept = _answered(asked, rule.rollouts, answers, recipe.data.missing_share, out)
            write_samples(result, (rater.rated(sample, answers) for sample in kept))
    return result


def rollout_ids(sample: TrainingSample, rollouts: int) -> list[str]:
    """Return the ids of a sample's rollouts."""
    return [f"{sample.id}#{number}" for number in range(rollouts)]


def rate(sample: TrainingSample, texts: Sequence[str], reward: Reward) -> Difficulty:
    """Return the difficulty of a sample by its answers.

    The IoU is that of the reward, which is that of the score. For a question that asks for no
    moment it is 1 where the right option is named, else 0. The deviation is over the N answers
    (divided by N).
    """
    question = sample.to_sample()
    parts = [reward(question, text) for text in texts]
    choice_only = question.asks is OutputType.CHOICE
    values = np.array([p.choice if choice_only else p.tiou for p in parts], dtype=np.float64)
    return Difficulty(
        mean_iou=float(values.mean()),
        deviation=float(values.std()),
        parse_failures=sum(p.parse_penalty < 0 for p in parts) / len(parts),
        rewards=tuple(p.total for p in parts),
    )


class _Rater:
    """Asks the start checkpoint and rates the samples by its answers."""

    def __init__(
        self, recipe: Recipe, rule: DifficultyRule, checkpoint: str, out: Path, registry: Registry
    ) -> None:
        options = RunOptions(
            model=checkpoint,
            engine=rule.engine or None,
            engine_options=EngineOptions(dtype=recipe.model.dtype),
        )
        self.recipe, self.rule, self.out = recipe, rule, out
        self.registry, self.options = registry, options
        self.model: Model = find_model(options, registry)
        self.contexts = SampleContexts(recipe.model, self.model.checkpoint.path, registry)
        self.generation = GenerationRule(
            max_new_tokens=rule.max_new_tokens, decoding="sample", temperature=rule.temperature
        )

    def metadata(self, samples: Sequence[TrainingSample]) -> dict[str, object]:
        """Return all that the answers and difficulties depend on."""
        return {
            "difficulty": asdict(self.rule),
            "rewards": asdict(self.recipe.rewards) if self.recipe.rewards else None,
            "checkpoint": self.model.digest,
            "engine": self.model.engine,
            "dtype": self.options.engine_options.dtype,
            "protocols": [
                protocol.to_json()
                for protocol in dict.fromkeys(self.contexts.of(s).protocol for s in samples)
            ],
            "data": sha256(canonical([asdict(sample) for sample in samples])),
        }

    def rated(self, sample: TrainingSample, answers: Answers) -> TrainingSample:
        """Return the sample with its difficulty."""
        rewards = self.recipe.rewards or RewardRule(tiou=1.0)
        reward = Reward(rewards, self.contexts.of(sample).protocol)
        texts = [answers[rollout].text for rollout in rollout_ids(sample, self.rule.rollouts)]
        return replace(sample, difficulty=rate(sample, texts, reward))

    def answers(self, samples: Sequence[TrainingSample]) -> Answers:
        """Ask the rollouts without an answer; returns the last record of each rollout."""
        journal = self.out / "journal.jsonl"
        done = {rollout for rollout, record in read_journal(journal).items() if record.answered}
        jobs = self._jobs(samples, done)
        if jobs:
            self._ask(samples, jobs, journal)
        return read_journal(journal)

    def _ask(self, samples: Sequence[TrainingSample], jobs: Sequence[VideoJob], path: Path) -> None:
        engines = EngineCache(self.registry, self.model, self.options.engine_options)
        engines.check()
        total = len(samples) * self.rule.rollouts
        missing = sum(len(job.samples) for job in jobs)

        def start() -> Engine:
            return engines.engine(self.generation)

        with (
            closing(engines),
            Journal(path) as journal,
            Progress(
                f"{self.recipe.name}: rollouts of {self.model.name}",
                total=total,
                done=total - missing,
                quiet=not sys.stderr.isatty(),
            ) as progress,
            closing(self._stream(samples, jobs)) as stream,
            terminable(),
        ):

            def keep(record: Record) -> None:
                # `frames` identifies the frames; times for every rollout would fill the memory
                journal.append(replace(record, frame_times=(), model_times=()))
                progress.advance()

            run_inference(stream, start, keep, self.out)

    def _stream(self, samples: Sequence[TrainingSample], jobs: Sequence[VideoJob]) -> RequestStream:
        builder = RequestBuilder(self.model.adapter, self.registry.decoder(self.options.decoder)())
        contexts = {
            rollout: self.contexts.of(sample)
            for sample in samples
            for rollout in rollout_ids(sample, self.rule.rollouts)
        }
        return builder.stream(jobs, lambda question: contexts[question.id])

    def _jobs(self, samples: Sequence[TrainingSample], done: set[str]) -> list[VideoJob]:
        """Return the rollouts to ask, grouped by video, long videos first."""
        groups: dict[tuple[str, Span | None, FrameRule], list[Sample]] = {}
        for sample in samples:
            question = sample.to_sample()
            rollouts = [
                replace(question, id=rollout)
                for rollout in rollout_ids(sample, self.rule.rollouts)
                if rollout not in done
            ]
            key = (sample.video, sample.clip, self.contexts.of(sample).protocol.frames)
            groups.setdefault(key, []).extend(rollouts)
        folder = Path(self.recipe.data.videos)
        jobs = [
            VideoJob(video, folder / video, tuple(group), group[0].clips)
            for (video, *_), group in groups.items()
            if group
        ]
        return sorted(jobs, key=lambda job: (-job.duration, job.video, job.clips))


def _answered(
    samples: Sequence[TrainingSample],
    rollouts: int,
    answers: Answers,
    share: float,
    out: Path,
) -> list[TrainingSample]:
    """Return the samples whose rollouts are all answered; raises UserError for too few."""
    errors = {sample.id: _error(sample, rollouts, answers) for sample in samples}
    lost = [f"{name} ({error})" for name, error in errors.items() if error]
    if not lost:
        return list(samples)
    message = f"{len(lost)} of {len(samples)} samples could not be asked: {', '.join(lost[:SHOWN])}"
    if len(lost) > share * len(samples):
        raise UserError(
            f"{message}; the recipe allows {share:.0%} (data.missing_share). The answers so far "
            f"are kept in {out}; run the same command again to ask the others."
        )
    print(f"vtg-train: {message}. They are left out.", file=sys.stderr)
    return [sample for sample in samples if not errors[sample.id]]


def _error(sample: TrainingSample, rollouts: int, answers: Answers) -> str:
    """Return the first error among a sample's rollouts, empty where all are answered."""
    records = [answers[rollout] for rollout in rollout_ids(sample, rollouts)]
    return next((r.error or r.finish for r in records if not r.answered), "")
