"""The plan: the samples to run, video by video, longest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.digests import subset_digest
from vtg_eval.probe.transform import TransformedSample, transform
from vtg_eval.probe.transformation import Transformation
from vtg_eval.run.manifest import Subset
from vtg_eval.run.shards import Shard, divided
from vtg_eval.task import Task
from vtg_eval.types import Sample, Span
from vtg_eval.video.edit_list import EditList

LONGEST = 600.0  # seconds above which frame budgets show few more frames of a video


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video and its samples, which run one after the other.

    `clips` are the parts that all these samples show, as in `Sample`. `parts`: what a transformed
    video shows instead of the one at `path`, with the file of each of its videos.
    """

    video: str
    path: Path
    samples: tuple[Sample, ...]
    clips: tuple[Span, ...] = ()
    parts: EditList = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """The annotated length in seconds; infinite where unknown: such videos come first."""
        return max(
            (s.duration for s in self.samples if s.duration is not None), default=float("inf")
        )

    @property
    def weight(self) -> float:
        """About what the job costs, compared with others."""
        return min(self.duration, LONGEST) * len(self.samples)


@dataclass(frozen=True, slots=True)
class Plan:
    """`samples` are all of the run, in annotation order, and `subset` describes them.

    asked: those of the shard, all where the run has none. jobs: those of them without an answer.
    left_out: how many samples a transformation leaves out, by reason.
    """

    samples: tuple[Sample, ...]
    subset: Subset
    asked: tuple[Sample, ...]
    jobs: tuple[VideoJob, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


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
    transformation: Transformation | None = None,
    shard: Shard | None = None,
) -> Plan:
    """Plan a run over a split's `samples`, leaving out the `answered` ids.

    of: how many samples the split has by its card (None: as many as are given). transformation:
    of the samples that are left, with other videos of theirs. shard: whose jobs are planned; which
    these are does not depend on `answered`.

    Raises UserError where videos are missing and `allow_subset` is not set, and where the
    transformation leaves out all samples.
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
    items = tuple(map(TransformedSample, kept))
    left_out: Mapping[str, int] = {}
    if transformation is not None:
        changed = transform(kept, transformation)
        items, left_out = changed.samples, changed.left_out
        if not items:
            reasons = "; ".join(f"{reason} ({count})" for reason, count in left_out.items())
            raise UserError(
                f"{task.card.name}: {transformation.name} leaves out all {len(kept)} samples: "
                f"{reasons}. Name other --transformations, or ask more samples (--limit)."
            )
    subset = Subset(
        digest=subset_digest(item.sample.id for item in items),
        size=len(items),
        of=len(samples) if of is None else of,
        limit=limit,
        missing_videos=tuple(missing),
    )
    samples = tuple(item.sample for item in items)
    jobs = _share(_jobs(task, root, items), shard)
    ids = {sample.id for job in jobs for sample in job.samples}
    asked = tuple(sample for sample in samples if sample.id in ids)
    return Plan(samples, subset, asked, tuple(_unanswered(jobs, answered)), left_out)


def missing_videos(task: Task, root: Path, samples: Sequence[Sample]) -> dict[str, Path]:
    """Return the missing videos with their paths."""
    videos = dict.fromkeys(sample.video for sample in samples)
    paths = {video: task.video_path(root, video) for video in videos}
    return {video: path for video, path in paths.items() if not path.is_file()}


def without(samples: Sequence[Sample], videos: Collection[str]) -> tuple[Sample, ...]:
    """Return the samples of all other videos."""
    return tuple(sample for sample in samples if sample.video not in videos)


def _jobs(task: Task, root: Path, items: tuple[TransformedSample, ...]) -> tuple[VideoJob, ...]:
    groups: dict[tuple[str, tuple[Span, ...], EditList], list[Sample]] = {}
    for item in items:
        sample = item.sample
        groups.setdefault((sample.video, sample.clips, item.parts), []).append(sample)
    jobs = (
        VideoJob(
            video,
            task.video_path(root, video),
            tuple(group),
            clips,
            parts,
            {part.video: task.video_path(root, part.video) for part in parts},
        )
        for (video, clips, parts), group in groups.items()
    )
    return tuple(sorted(jobs, key=lambda job: (-job.duration, job.video, job.clips)))


def _share(jobs: tuple[VideoJob, ...], shard: Shard | None) -> tuple[VideoJob, ...]:
    if shard is None:
        return jobs
    parts = divided([job.weight for job in jobs], shard.of)
    return tuple(job for job, part in zip(jobs, parts, strict=True) if part == shard.number - 1)


def _unanswered(jobs: tuple[VideoJob, ...], answered: Collection[str]) -> Iterator[VideoJob]:
    for job in jobs:
        samples = tuple(sample for sample in job.samples if sample.id not in answered)
        if samples:
            yield replace(job, samples=samples)
