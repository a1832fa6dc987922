"""Difficulty: how well the checkpoint that RL starts from answers each training sample.

difficulty.json     the owner record: all that the answers depend on; another recipe is refused
journal.jsonl       each answer when it is complete; answered rollouts are not asked again
difficulty.jsonl    the samples with their difficulties, written when all are answered

The engines and the executor are vtg-eval's; `rollouts` has what is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from vtg_eval.engines.base import EngineOptions
from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.owned_folder import check_owner, lock_folder
from vtg_eval.registry import Registry
from vtg_eval.run.devices import ONE_PROCESS, DeviceOptions
from vtg_eval.run.executor import Executor
from vtg_eval.run.inference import terminable
from vtg_eval.run.journal import Journal, Record, read_journal
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.pools import WorkFor
from vtg_eval.run.progress import Progress
from vtg_eval.run.setup import Model, RunOptions, find_model
from vtg_eval.run.usage import UsageMeter
from vtg_eval.types import OutputType

from .data.sample import Difficulty, TrainingSample, plain_sample, write_samples
from .recipe import DifficultyRule, Recipe, RewardRule, recorded
from .rollouts import Rollouts, RolloutWork, rollout_ids
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
    devices: DeviceOptions = ONE_PROCESS,
) -> Path:
    """Ask the missing rollouts, then write the samples with their difficulties; returns that file.

    checkpoint: RL starts from it. devices: which answer; the file does not depend on how many.
    Samples that cannot be asked are left out and named, up to the
    recipe's data.missing_share. Raises UserError where there are more, for a recipe without
    [difficulty], and where `out` holds the answers of another recipe.
    """
    rule = recipe.difficulty
    if rule is None:
        raise UserError(f"The recipe {recipe.name} has no [difficulty].")
    asked = tuple(samples[: rule.limit or None])
    options = _options(rule, recipe.model.dtype, checkpoint, devices)
    rater = _Rater(recipe, rule, options, out, registry)
    record = out / "difficulty.json"
    with lock_folder(record, "folder of difficulties"):
        check_owner(record, rater.metadata(asked))
        result = out / RESULT
        if not result.is_file():
            answers = rater.answers(asked)
            kept = _answered(asked, rule.rollouts, answers, recipe.data.missing_share, out)
            write_samples(result, (rater.rated(sample, answers) for sample in kept))
    return result


def check_difficulty(
    recipe: Recipe, registry: Registry, devices: DeviceOptions = ONE_PROCESS
) -> None:
    """Check, before training, that the engine and the devices are there; raises UserError."""
    rule = recipe.difficulty or DifficultyRule()
    options = _options(rule, recipe.model.dtype, recipe.model.checkpoint, devices)
    Executor(options, find_model(options, registry), registry, _work(recipe, rule)).close()


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
        ious=tuple(values.tolist()),
    )


class _Rater:
    """Asks the start checkpoint and rates the samples by its answers."""

    def __init__(
        self,
        recipe: Recipe,
        rule: DifficultyRule,
        options: RunOptions,
        out: Path,
        registry: Registry,
    ) -> None:
        self.recipe, self.rule, self.out = recipe, rule, out
        self.registry, self.options = registry, options
        self.model: Model = find_model(options, registry)
        self.rollouts = Rollouts(recipe.model, rule, self.model, registry)

    def metadata(self, samples: Sequence[TrainingSample]) -> dict[str, object]:
        """Return all that the answers and difficulties depend on."""
        engine = self.options.engine_options
        return {
            "difficulty": asdict(self.rule),
            "rewards": recorded(self.recipe.rewards) if self.recipe.rewards else None,
            "engine": self.model.engine,
            "dtype": engine.dtype,
            # absent where there are none, as in folders of earlier versions
            **({"engine_args": dict(engine.extra)} if engine.extra else {}),
            **self.rollouts.identity(samples),
            "data": sha256(canonical([plain_sample(sample) for sample in samples])),
        }

    def rated(self, sample: TrainingSample, answers: Answers) -> TrainingSample:
        """Return the sample with its difficulty."""
        rewards = self.recipe.rewards or RewardRule(tiou=1.0)
        reward = Reward(rewards, self.rollouts.contexts.of(sample).protocol)
        texts = [answers[rollout].text for rollout in rollout_ids(sample, self.rule.rollouts)]
        return replace(sample, difficulty=rate(sample, texts, reward))

    def answers(self, samples: Sequence[TrainingSample]) -> Answers:
        """Ask the rollouts without an answer; returns the last record of each rollout."""
        journal = self.out / "journal.jsonl"
        done = {rollout for rollout, record in read_journal(journal).items() if record.answered}
        jobs = self.rollouts.jobs(samples, Path(self.recipe.data.videos), done)
        if jobs:
            self._ask(samples, jobs, journal)
        return read_journal(journal)

    def _ask(self, samples: Sequence[TrainingSample], jobs: Sequence[VideoJob], path: Path) -> None:
        executor = Executor(self.options, self.model, self.registry, _work(self.recipe, self.rule))
        executor.check()
        total = len(samples) * self.rule.rollouts
        missing = sum(len(job.samples) for job in jobs)
        meter = UsageMeter()
        with (
            closing(executor),
            Journal(path) as journal,
            Progress(
                f"{self.recipe.name}: rollouts of {self.model.name}",
                total=total,
                done=total - missing,
                quiet=self.options.quiet,
            ) as progress,
            terminable(),
        ):

            def keep(record: Record) -> None:
                # `frames` identifies the frames; times for every rollout would fill the memory
                journal.append(replace(record, frame_times=(), model_times=()))
                progress.advance()
                meter.kept(record)

            executor.answer(
                self.rollouts.questions(samples),
                self.rollouts.assignment(samples, self.out),
                jobs,
                lambda engine: None,
                keep,
                meter,
            )
        if not self.options.quiet:
            print("\n".join(meter.usage().lines), file=sys.stderr)


def _options(
    rule: DifficultyRule, dtype: str, checkpoint: str, devices: DeviceOptions
) -> RunOptions:
    return RunOptions(
        model=checkpoint,
        engine=rule.engine or None,
        engine_options=EngineOptions(dtype=dtype, extra=devices.engine_arguments),
        quiet=not sys.stderr.isatty(),
        devices=devices.devices,
        tensor_parallel=devices.tensor_parallel,
    )


def _work(recipe: Recipe, rule: DifficultyRule) -> WorkFor:
    return partial(RolloutWork, recipe.model, rule)


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
