"""A run read from its folder and rescored, without model or videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vtg_eval.annotations.split import read_split
from vtg_eval.console.streams import warn
from vtg_eval.errors import UserError
from vtg_eval.files.digests import subset_digest
from vtg_eval.probe.transform import Transformed, transform
from vtg_eval.protocol import Protocol
from vtg_eval.registry import Registry
from vtg_eval.run.durations import with_durations
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.journal import Record, read_contents
from vtg_eval.run.manifest import Manifest, Subset
from vtg_eval.run.paths import data_root
from vtg_eval.run.plan import without
from vtg_eval.run.results import TaskResults, make_results, prediction
from vtg_eval.run.spec import RunSpec, annotation_digest
from vtg_eval.task import Task
from vtg_eval.types import Prediction, Sample


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run read from its folder: `samples` are those of the run, `root` is their data root.

    damaged: the journal's lines that cannot be read, 0 where every sample has an answer anyway.
    transformed: the samples of a transformed run with their time maps, None for others.
    """

    manifest: Manifest
    spec: RunSpec
    subset: Subset
    task: Task
    root: Path
    samples: tuple[Sample, ...]
    records: Mapping[str, Record]
    damaged: int = 0
    transformed: Transformed | None = None

    @property
    def answers(self) -> list[Prediction]:
        """The run's answers in the order of the samples, without those that have no record."""
        return [prediction(self.records[s.id]) for s in self.samples if s.id in self.records]

    def results(self, protocols: Iterable[Protocol]) -> TaskResults:
        """Score the run; `protocols` are those of `scores_across_protocols`."""
        return make_results(
            self.spec, self.subset, self.task, self.root, self.samples, self.records, protocols
        )


class SplitCache:
    """The splits of several runs, each read once."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, Path, str], tuple[Sample, ...]] = {}
        self._digests: dict[tuple[str, Path, str], str] = {}

    def samples(self, task: Task, root: Path, split: str) -> tuple[Sample, ...]:
        """Return all samples of a split, as annotated."""
        key = (task.card.name, root, split)
        if key not in self._samples:
            self._samples[key] = read_split(task, root, split)
        return self._samples[key]

    def digest(self, task: Task, root: Path, split: str) -> str:
        """Return the digest of all samples of a split."""
        key = (task.card.name, root, split)
        if key not in self._digests:
            self._digests[key] = annotation_digest(self.samples(task, root, split))
        return self._digests[key]


def rescore(
    path: Path, registry: Registry, root: Path | None = None, protocol: str | None = None
) -> TaskResults:
    """Score the run in the folder at `path`; arguments and errors as for `finished_run`."""
    run = finished_run(path, registry, SplitCache(), root, protocol)
    return run.results(registry.protocols.values())


def finished_run(
    path: Path,
    registry: Registry,
    splits: SplitCache,
    root: Path | None = None,
    protocol: str | None = None,
    times: bool = True,
) -> FinishedRun:
    """Read the run in the folder at `path`, under its own protocol or another one.

    root: the data root, for the annotations (None: that of the run, else the default); times: as
    for `read_journal`. Raises UserError where the folder holds no run, and where the annotations
    are not those of the run. Warns where damaged lines of the journal may have cost answers.
    """
    manifest = RunFolder(path).manifest()
    if manifest.shard is not None:
        raise UserError(
            f"{path} is shard {manifest.shard} of a run and has no score of its own. `vtg-eval "
            "merge` joins the shards of a run."
        )
    return read_run(path, manifest, registry, splits, root, protocol, times)


def read_run(
    path: Path,
    manifest: Manifest,
    registry: Registry,
    splits: SplitCache,
    root: Path | None = None,
    protocol: str | None = None,
    times: bool = True,
) -> FinishedRun:
    """Read a run as `finished_run` does, also a shard: its samples are those of the whole run."""
    spec, subset = _spec(path, manifest)
    task = registry.task(spec.task)
    if protocol is not None:
        other = registry.protocol_for(task.card, protocol, spec.split)
        spec = replace(spec, protocol=other, profile="")
    root, gone = _data_root(task, root, manifest)
    try:
        split = splits.samples(task, root, spec.split)
    except UserError as exc:
        if not gone:
            raise
        raise UserError(f"{gone}{exc}") from exc
    samples = without(split[: subset.limit], subset.missing_videos)
    transformed = None
    if spec.transformation is not None:
        transformed = transform(with_durations(task, root, samples), spec.transformation)
        samples = tuple(item.sample for item in transformed.samples)
    same = splits.digest(task, root, spec.split) == spec.annotations
    if not same or subset_digest(sample.id for sample in samples) != subset.digest:
        raise UserError(
            f"{gone}The annotations of {spec.task} in {root} are not those of the run {path}. "
            "Name the right ones by --data-root."
        )
    subset = replace(subset, of=task.card.split_size(spec.split, len(split)))
    samples = with_durations(task, root, samples)
    journal = RunFolder(path).journal_file
    records, damaged = read_contents(journal, times)
    unanswered = sum(s.id not in records or not records[s.id].answered for s in samples)
    if damaged and unanswered:
        warn(
            f"damaged lines in {journal}: {damaged}; samples without an answer: "
            f"{unanswered}. The run's command asks for them again."
        )
    lost = damaged if unanswered else 0
    return FinishedRun(manifest, spec, subset, task, root, samples, records, lost, transformed)


def _data_root(task: Task, root: Path | None, manifest: Manifest) -> tuple[Path, str]:
    """Return where the annotations are: `root`, else the run's folder, else the default.

    Also the beginning of an error: that the run's folder is gone, "" where it is not.
    """
    recorded = None if manifest.data_root is None else Path(manifest.data_root.folder)
    if root is not None or recorded is None:
        return data_root(task, root), ""
    if recorded.is_dir():
        return recorded, ""
    return data_root(task, None), (
        f"The run's data root, {recorded}, does not exist any more; name another by --data-root. "
    )


def _spec(path: Path, manifest: Manifest) -> tuple[RunSpec, Subset]:
    if manifest.subset is None:
        raise UserError(f"{path} has no plan yet: run its command again.")
    try:
        spec = RunSpec.from_json(manifest.spec)
    except UserError as exc:
        raise UserError(
            f"{path} was made by another version of vtg-eval; this one cannot score it: {exc}. "
            "Score it with that version, or run it again in a new folder."
        ) from exc
    return spec, manifest.subset
