"""A task's split as training data: `train = ["task:NAME:SPLIT"]` under [data] in a recipe.

Its samples become a file of training samples in the user's cache. Samples whose event does not
occur are left out, because a training sample cannot express that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from vtg_eval.annotations.split import read_split
from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.registry import Registry
from vtg_eval.run.paths import cache_folder, data_root
from vtg_eval.task import Task
from vtg_eval.types import Sample

from ..recipe import Recipe
from .sample import TrainingSample, replace_samples

PREFIX = "task:"


class _Split(NamedTuple):
    """A split that a recipe names. size: how many of its samples (None: all)."""

    task: Task
    name: str
    size: int | None


def with_task_data(recipe: Recipe, registry: Registry, videos: bool = False) -> Recipe:
    """Return the recipe with a task's split replaced by a file and a folder of videos.

    Other recipes are returned unchanged. videos: also make the missing videos of a generated
    benchmark. Raises UserError for an unknown task or split, and for a count that is not a number.
    """
    if not any(name.startswith(PREFIX) for name in recipe.data.train):
        return recipe
    if len(recipe.data.train) > 1 or recipe.data.videos:
        raise UserError(
            "A task in data.train must be the only entry, and vtg-eval knows its videos: leave out "
            "data.videos and the other files."
        )
    split = _split(recipe.data.train[0], registry)
    root = data_root(split.task, None)
    samples = _usable(split, root)
    if videos:
        split.task.prepare(root, split.name, {sample.video for sample in samples})
    path = _write_once(
        f"{split.task.card.name}-{split.name}",
        [_training_sample(sample, split, root) for sample in samples],
    )
    return replace(recipe, data=replace(recipe.data, train=(str(path),), videos=str(root)))


def _split(entry: str, registry: Registry) -> _Split:
    name, *parts = entry.removeprefix(PREFIX).split(":")
    if len(parts) not in (1, 2) or not all(part.isdecimal() for part in parts[1:]):
        raise UserError(f'data.train has "{entry}"; it must be task:NAME:SPLIT or …:SPLIT:COUNT.')
    task: Task = registry.task(name)
    return _Split(task, task.card.split(parts[0]), int(parts[1]) if parts[1:] else None)


def _usable(split: _Split, root: Path) -> Sequence[Sample]:
    samples = read_split(split.task, root, split.name)
    usable = [s for s in samples if (s.target.spans or s.target.choice) and len(s.clips) < 2]
    if not usable[: split.size]:
        raise UserError(
            f"data.train names no sample to train on: {split.task.card.name} {split.name} has "
            f"{len(usable)} usable ones. Name a count of 1 or more, or another split."
        )
    return usable[: split.size]


def _training_sample(sample: Sample, split: _Split, root: Path) -> TrainingSample:
    return TrainingSample(
        id=sample.id,
        video=split.task.video_path(root, sample.video).relative_to(root).as_posix(),
        query=sample.query,
        spans=sample.target.spans,
        source=split.task.card.name,
        split=split.name,
        video_id=sample.video,
        clip=sample.clips[0] if sample.clips else None,
        duration=sample.duration,
        options=sample.options,
        choice=sample.target.choice,
    )


def _write_once(name: str, samples: Sequence[TrainingSample]) -> Path:
    """Write the samples, unless the file exists: its name has their digest."""
    digest = sha256(canonical([asdict(sample) for sample in samples]))
    path = cache_folder() / "training" / f"{name}-{digest[:16]}.jsonl"
    if not path.is_file():
        replace_samples(path, samples)  # another process may have written the same meanwhile
    return path
