"""A task's own split as training data: `train = ["task:NAME:SPLIT"]` under [data] in a recipe.

Its samples become a file of training samples in the user's cache. What asks for a moment that
never comes is left out: a training sample cannot say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path, explained
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.registry import Registry
from vtg_eval.run.paths import cache_folder, data_root
from vtg_eval.task import Task
from vtg_eval.types import Sample

from ..recipe import Recipe
from .sample import TrainingSample, write_samples

WORD = "task:"


class _Split(NamedTuple):
    """What the recipe names: a task, its split, and how many samples of it (None: all)."""

    task: Task
    split: str
    size: int | None


def with_task_data(recipe: Recipe, registry: Registry, videos: bool = False) -> Recipe:
    """Return the recipe with a file and a folder of videos in the place of a task's split.

    Other recipes are returned as they are. videos: also make those of a generated benchmark that
    are missing. Raises UserError for a task, split or number that is none.
    """
    if not any(name.startswith(WORD) for name in recipe.data.train):
        return recipe
    if len(recipe.data.train) > 1 or recipe.data.videos:
        raise UserError(
            "A task in data.train stands alone, and its videos are where vtg-eval looks for them: "
            "leave out data.videos and the other files."
        )
    found = _split(recipe.data.train[0], registry)
    root = data_root(found.task, None)
    chosen = _chosen(found, root)
    if videos:
        found.task.prepare(root, found.split, {sample.video for sample in chosen})
    samples = [_training(sample, found, root) for sample in chosen]
    path = _written(f"{found.task.card.name}-{found.split}", samples)
    return replace(recipe, data=replace(recipe.data, train=(str(path),), videos=str(root)))


def _split(written: str, registry: Registry) -> _Split:
    name, *rest = written.removeprefix(WORD).split(":")
    if len(rest) not in (1, 2) or not all(word.isdecimal() for word in rest[1:]):
        raise UserError(f'data.train has "{written}"; it must be task:NAME:SPLIT or …:SPLIT:COUNT.')
    task: Task = registry.task(name)
    return _Split(task, task.card.split(rest[0]), int(rest[1]) if rest[1:] else None)


def _chosen(found: _Split, root: Path) -> Sequence[Sample]:
    samples = found.task.samples(root, found.split)
    usable = [s for s in samples if (s.target.spans or s.target.choice) and len(s.clips) < 2]
    return usable[: found.size]


def _training(sample: Sample, found: _Split, root: Path) -> TrainingSample:
    return TrainingSample(
        id=sample.id,
        video=found.task.video_path(root, sample.video).relative_to(root).as_posix(),
        query=sample.query,
        spans=sample.target.spans,
        source=found.task.card.name,
        split=found.split,
        video_id=sample.video,
        clip=sample.clips[0] if sample.clips else None,
        duration=sample.duration,
        options=sample.options,
        choice=sample.target.choice,
    )


def _written(name: str, samples: Sequence[TrainingSample]) -> Path:
    """Write the samples under a name that holds their digest, where they are not there yet."""
    digest = sha256(canonical([asdict(sample) for sample in samples]))
    folder = cache_folder() / "training"
    path = folder / f"{name}-{digest[:16]}.jsonl"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with explained(path), atomic_path(path) as part:  # another process may write it, too
            write_samples(part, samples)
    return path
