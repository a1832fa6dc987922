"""The plan: the samples to run, video by video, longest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.digests import subset_digest
from vtg_eval.run.manifest import Subset
from vtg_eval.task import Task
from vtg_eval.types import Sample, Span


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video and its samples, which run one after the other.

    `clips` are the parts that all these samples show, as in `Sample`.
    """

    video: str
    path: Path
    samples: tuple[Sample, ...]
    clips: tuple[Span, ...] = ()

    @property
    def duration(self) -> float:
        """The annotated length in seconds; infinite where unknown: such videos come first."""
        return max(
            (s.duration for s in self.samples if s.duration is not None), default=float("inf")
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """`samples` are all of the run, in annotation order; `jobs` those still without an answer."""

    samples: tuple[Sample, ...]
    subset: Subset
    jobs: tuple[VideoJob, ...]


def make_plan(
    task: Task,
    root: Path,
    samples: Sequence[Sample],
    *,
    limit: int | None = None,
    answered: Collection[str] = (),
    needs_videos: bool = True,
    allow_subset: bool = False,
    of: int | None = None,
) -> Plan:
    """Plan a run over a split's `samples`, leaving out the `answered` ids.

    of: how many samples the split has by its card (None: as many as are given).

    Raises UserError where videos are missing and `allow_subset` is not set.
    """
    selected = tuple(samples[:limit])
    missing = missing_videos(task, root, selected) if needs_videos else {}
    if missing and not allow_subset:
        name = task.card.name
        raise UserError(
            f"{name}: {len(missing)} of {len({s.video for s in selected})} videos are missing, "
            f"the first at {next(iter(missing.values()))}.\n"
            f"`vtg-eval data check {name}` lists them; --allow-subset scores the samples of the "
            "others only."
        )
    kept = without(selected, missing)
    if not kept:
        raise UserError(
            f"{task.card.name}: there is nothing to ask: all videos are missing. "
            f"`vtg-eval data prepare {task.card.name}` shows where they belong."
        )
    subset = Subset(
        digest=subset_digest(sample.id for sample in kept),
        size=len(kept),
        of=len(samples) if of is None else of,
        limit=limit,
        missing_videos=tuple(missing),
    )
    return Plan(kept, subset, _jobs(task, root, kept, answered))


def missing_videos(task: Task, root: Path, samples: Sequence[Sample]) -> dict[str, Path]:
    """Return the missing videos with their paths."""
    paths = {sample.video: task.video_path(root, sample.video) for sample in samples}
    return {video: path for video, path in paths.items() if not path.is_file()}


def without(samples: Sequence[Sample], videos: Collection[str]) -> tuple[Sample, ...]:
    """Return the samples of all other videos."""
    return tuple(sample for sample in samples if sample.video not in videos)


def _jobs(
    task: Task, root: Path, samples: tuple[Sample, ...], answered: Collection[str]
) -> tuple[VideoJob, ...]:
    groups: dict[tuple[str, tuple[Span, ...]], list[Sample]] = {}
    for sample in samples:
        if sample.id not in answered:
            groups.setdefault((sample.video, sample.clips), []).append(sample)
    jobs = (
        VideoJob(video, task.video_path(root, video), tuple(group), clips)
        for (video, clips), group in groups.items()
    )
    return tuple(sorted(jobs, key=lambda job: (-job.duration, job.video, job.clips)))
