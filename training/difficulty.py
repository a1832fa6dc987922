"""Difficulty: what the start checkpoint makes of each training sample, by vtg-eval's own engines.

difficulty.json     whose answers these are; another recipe's are refused
journal.jsonl       every answer as it comes: what is there is not asked again
difficulty.jsonl    the samples with their difficulties, written when all are answered

Each sample is asked several times, under ids like "<id>#3": so each answer has its own seed and
is the same in any order, batch or resumed run.
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

SHOWN = 5  # samples named where some cannot be asked
RESULT = "difficulty.jsonl"

Answers = Mapping[str, Record]


def run_difficulty(
    recipe: Recipe,
    samples: Sequence[TrainingSample],
    checkpoint: str,
    out: Path,
    registry: Registry,
) -> Path:
    """Ask what is missing, then write the samples with their difficulties; returns that file.

    checkpoint: what RL starts from. Samples that cannot be asked are left out and named, up to
    the recipe's data.missing_share. Raises UserError where there are more, for a recipe without
    [difficulty], and where `out` holds the answers of another recipe.
    """
    rule = recipe.difficulty
    if rule is None:
        raise UserError(f"The recipe {recipe.name} has no [difficulty].")
    asked = tuple(samples[: rule.limit or None])
    probe = _Probe(recipe, rule, checkpoint, out, registry)
    record = out / "difficulty.json"
    with lock_folder(record, "folder of difficulties"):
        check_owner(record, probe.metadata(asked))
        result = out / RESULT
        if not result.is_file():
            answers = probe.answers(asked)
            kept = _answered(asked, rule.rollouts, answers, recipe.data.missing_share, out)
            write_samples(result, (probe.rated(sample, answers) for sample in kept))
    return result


def names(sample: TrainingSample, rollouts: int) -> list[str]:
    """Return the ids under which a sample is asked."""
    return [f"{sample.id}#{number}" for number in range(rollouts)]


def rate(sample: TrainingSample, texts: Sequence[str], reward: Reward) -> Difficulty:
    """Return the difficulty that a sample's answers show.

    The IoU is the reward's, which is the score's; of a question that asks for no moment, whether
    the right option is named takes its place. The deviation is over the answers (divided by N).
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


class _Probe:
    """The start checkpoint, ready to be asked."""

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
        """Return what makes two probings the same."""
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
        """Return the sample with the difficulty that its answers show."""
        rewards = self.recipe.rewards or RewardRule(tiou=1.0)
        reward = Reward(rewards, self.contexts.of(sample).protocol)
        texts = [answers[name].text for name in names(sample, self.rule.rollouts)]
        return replace(sample, difficulty=rate(sample, texts, reward))

    def answers(self, samples: Sequence[TrainingSample]) -> Answers:
        """Ask what has no answer yet; returns the last record of each rollout."""
        journal = self.out / "journal.jsonl"
        done = {name for name, record in read_journal(journal).items() if record.answered}
        jobs = self._jobs(samples, done)
        if jobs:
            self._ask(samples, jobs, journal)
        return read_journal(journal)

    def _ask(self, samples: Sequence[TrainingSample], jobs: Sequence[VideoJob], path: Path) -> None:
        engines = EngineCache(self.registry, self.model, self.options.engine_options)
        total = len(samples) * self.rule.rollouts
        left = sum(len(job.samples) for job in jobs)

        def start() -> Engine:
            return engines.engine(self.generation)

        with (
            closing(engines),
            Journal(path) as journal,
            Progress(
                f"{self.recipe.name}: rollouts of {self.model.name}",
                total=total,
                done=total - left,
                quiet=not sys.stderr.isatty(),
            ) as progress,
            closing(self._stream(samples, jobs)) as stream,
            terminable(),
        ):

            def keep(record: Record) -> None:
                # `frames` names the frames; their times, again for every rollout, would fill memory
                journal.append(replace(record, frame_times=(), model_times=()))
                progress.advance()

            run_inference(stream, start, keep, self.out)

    def _stream(self, samples: Sequence[TrainingSample], jobs: Sequence[VideoJob]) -> RequestStream:
        builder = RequestBuilder(self.model.adapter, self.registry.decoder(self.options.decoder)())
        contexts = {
            name: self.contexts.of(sample)
            for sample in samples
            for name in names(sample, self.rule.rollouts)
        }
        return builder.stream(jobs, lambda question: contexts[question.id])

    def _jobs(self, samples: Sequence[TrainingSample], done: set[str]) -> list[VideoJob]:
        """Return what is left to ask, all rollouts on one video together, long videos first."""
        groups: dict[tuple[str, Span | None, FrameRule], list[Sample]] = {}
        for sample in samples:
            question = sample.to_sample()
            left = [n for n in names(sample, self.rule.rollouts) if n not in done]
            rollouts = [replace(question, id=name) for name in left]
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
    """Return the samples all of whose rollouts were answered; raises UserError for too few."""
    reasons = {sample.id: _why_lost(sample, rollouts, answers) for sample in samples}
    lost = [f"{name} ({why})" for name, why in reasons.items() if why]
    if not lost:
        return list(samples)
    said = f"{len(lost)} of {len(samples)} samples could not be asked: {', '.join(lost[:SHOWN])}"
    if len(lost) > share * len(samples):
        raise UserError(
            f"{said}; the recipe lets {share:.0%} pass (data.missing_share). The answers so far "
            f"are kept in {out}; run the same command again to ask for the others."
        )
    print(f"vtg-train: {said}. They are left out.", file=sys.stderr)
    return [sample for sample in samples if not reasons[sample.id]]


def _why_lost(sample: TrainingSample, rollouts: int, answers: Answers) -> str:
    """Return why a rollout has no answer, empty where all have one."""
    records = [answers[name] for name in names(sample, rollouts)]
    return next((r.error or r.finish for r in records if not r.answered), "")
