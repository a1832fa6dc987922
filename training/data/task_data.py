"""A task's split as training data: `train = ["task:NAME:SPLIT"]` under [data] in a recipe, or as
`cold_start` and `rl`.

Its samples become a file of training samples in the user's cache. Samples whose event does not
occur are left out, because a training sample cannot express that.
"""

from __future__ import annotations

import re
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
KEYS = ("train", "cold_start", "rl")  # of [data], that name samples
PART = re.compile(r"(?:(?P<first>[1-9]\d{0,9})-)?(?P<last>\d{1,10})", re.ASCII)


class _Split(NamedTuple):
    """A split that a recipe names. key: of [data]; part: which of its samples."""

    key: str
    task: Task
    name: str
    part: slice


def with_task_data(recipe: Recipe, registry: Registry, videos: bool = False) -> Recipe:
    """Return the recipe with each task's split replaced by a file, and with the folder of videos.

    Recipes of files are returned unchanged. videos: also make the missing videos of a generated
    benchmark. Raises UserError for an unknown task or split, for an entry that is not of the form,
    and for files or other folders of videos beside a task.
    """
    named = {key: entries for key in KEYS if (entries := getattr(recipe.data, key))}
    if not any(entry.startswith(PREFIX) for entries in named.values() for entry in entries):
        return recipe
    alone = all(len(e) == 1 and e[0].startswith(PREFIX) for e in named.values())
    if recipe.data.videos or not alone:
        raise UserError(
            "A task under [data] must be the only entry of its key, no other key may name files, "
            "and vtg-eval knows the videos: leave out data.videos and the files."
        )
    splits = [_split(key, entry, registry) for key, (entry,) in named.items()]
    roots = {data_root(split.task, None) for split in splits}
    if len(roots) > 1:
        raise UserError(
            f"The tasks under [data] are in several folders ({', '.join(map(str, sorted(roots)))})"
            "; set VTG_EVAL_DATA to one for all."
        )
    (root,) = roots
    files = {split.key: (str(_file(split, root, videos)),) for split in splits}
    train, cold_start, rl = (files.get(key, ()) for key in KEYS)
    data = replace(recipe.data, train=train, cold_start=cold_start, rl=rl, videos=str(root))
    return replace(recipe, data=data)


def _split(key: str, entry: str, registry: Registry) -> _Split:
    """Return the split that an entry of a key of [data] names."""
    name, *parts = entry.removeprefix(PREFIX).split(":")
    part = PART.fullmatch(parts[1]) if parts[1:] else None
    if len(parts) not in (1, 2) or (parts[1:] and part is None):
        raise UserError(
            f'data.{key} has "{entry}"; it must be task:NAME:SPLIT, …:SPLIT:COUNT or '
            "…:SPLIT:FIRST-LAST."
        )
    task: Task = registry.task(name)
    numbers = slice(int(part["first"] or 1) - 1, int(part["last"])) if part else slice(None)
    return _Split(key, task, task.card.split(parts[0]), numbers)


def _file(split: _Split, root: Path, videos: bool) -> Path:
    """Write the file of a split's samples, and return its path. videos: make those, too."""
    samples = _usable(split, root)
    if videos:
        split.task.prepare(root, split.name, {sample.video for sample in samples})
    return _write_once(
        f"{split.task.card.name}-{split.name}",
        [_training_sample(sample, split, root) for sample in samples],
    )


def _usable(split: _Split, root: Path) -> Sequence[Sample]:
    samples = read_split(split.task, root, split.name)
    usable = [s for s in samples if (s.target.spans or s.target.choice) and len(s.clips) < 2]
    if not usable[split.part]:
        raise UserError(
            f"data.{split.key} names no sample to train on: {split.task.card.name} {split.name} "
            f"has {len(usable)} usable ones. Name other numbers of samples, or another split."
        )
    return usable[split.part]


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
