"""Merging: the answers of a run's shards become those of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vtg_eval.console.streams import warn
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_bytes
from vtg_eval.files.digests import canonical, differences
from vtg_eval.files.json_files import plain_json, write_json
from vtg_eval.files.owned_folder import require_same
from vtg_eval.registry import Registry
from vtg_eval.run.finished import SplitCache, read_run
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.journal import Record, read_contents, read_journal
from vtg_eval.run.manifest import Manifest, Session
from vtg_eval.run.results import TaskResults
from vtg_eval.run.shards import SHARDS, Shard
from vtg_eval.run.spec import RunSpec


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """A shard on disk; its manifest says which part of which run it is."""

    path: Path
    manifest: Manifest
    shard: Shard


@dataclass(frozen=True, slots=True)
class ShardState:
    """How far a shard is: `done` of its `asked` samples need not be asked again.

    asked: None where the shard is not there.
    """

    shard: Shard
    done: int = 0
    asked: int | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done == self.asked


@dataclass(frozen=True, slots=True)
class Merged:
    """A run made of its shards. `answered` of `asked` samples have an answer.

    failed: how many have no record, or a failed one. unfinished: the shards that may still give
    answers. command: that of a shard, () where none is recorded. results: None where samples have
    no record.
    """

    spec: RunSpec
    answered: int
    asked: int
    failed: int
    unfinished: tuple[ShardState, ...]
    command: tuple[str, ...]
    results: TaskResults | None


def find_shards(path: Path) -> list[ShardFolder]:
    """Return the shard at `path`, or those of the run there, or those of the runs in that folder.

    Raises UserError where there are none.
    """
    levels = ("manifest.json", f"{SHARDS}/*/manifest.json", f"*/{SHARDS}/*/manifest.json")
    for level in levels:
        folders = [file.parent for file in sorted(path.glob(level))]
        manifests = [RunFolder(folder).manifest() for folder in folders]
        shards = [
            ShardFolder(folder, manifest, manifest.shard)
            for folder, manifest in zip(folders, manifests, strict=True)
            if manifest.shard is not None
        ]
        if shards:
            return shards
    raise UserError(f"{path} has no shards. Name the folder of a run that was made with --shard.")


def merge(
    shards: Sequence[ShardFolder], path: Path, registry: Registry, root: Path | None = None
) -> Merged:
    """Make the run of the shards in the folder at `path`, or add their answers to it, and score it.

    Nothing is scored where samples have no record yet. root: the data root, for the
    annotations. Raises UserError where the shards are not of one run, where the folder has another
    one, and where it has other answers.
    """
    first = shards[0]
    for other in shards[1:]:
        _require_one_run(first, other)
    run = read_run(path, first.manifest, registry, SplitCache(), root)
    folder = RunFolder(path)
    with folder.lock(run.spec) as before:
        if before.subset is not None:
            require_same(path, plain_json(asdict(before.subset)), asdict(run.subset))
        manifest = _manifest(before, shards)
        journals = [_records(shard) for shard in shards]
        records = _joined(read_journal(folder.journal_file), journals, path)
        order = {sample.id: place for place, sample in enumerate(run.samples)}
        lines = sorted(records.values(), key=lambda record: order.get(record.id, len(order)))
        write_json(folder.manifest_file, manifest.to_json())
        write_bytes(folder.journal_file, b"".join(record.to_line() for record in lines))
        results = None
        if order.keys() <= records.keys():
            results = replace(run, records=records).results(registry.protocols.values())
            write_json(folder.results_file, results.to_json())
            registry.notify("vtg_run_finished", folder=path, results=results.to_json())
    asked = [records.get(sample.id) for sample in run.samples]
    complete = all(record is not None and record.final for record in asked)
    return Merged(
        run.spec,
        sum(record is not None and record.answered for record in asked),
        len(asked),
        sum(record is None or record.failed for record in asked),
        () if complete else _unfinished(shards, journals),
        next((s.command for shard in shards for s in shard.manifest.sessions), ()),
        results,
    )


def _require_one_run(first: ShardFolder, other: ShardFolder) -> None:
    changed = differences(_identity(first), _identity(other))
    if changed:
        raise UserError(
            f"{other.path} is not a shard of the same run as {first.path}: {', '.join(changed)}. "
            "Name the shards of one run."
        )


def _identity(shard: ShardFolder) -> Mapping[str, object]:
    subset = shard.manifest.subset and asdict(shard.manifest.subset)
    return plain_json({**shard.manifest.spec, "subset": subset, "shards": shard.shard.of})


def _records(shard: ShardFolder) -> dict[str, Record]:
    path = RunFolder(shard.path).journal_file
    records, damaged = read_contents(path)
    if damaged:
        warn(f"damaged lines in {path}: {damaged}. The shard's command asks their samples again.")
    return records


def _joined(
    before: Mapping[str, Record], journals: Sequence[Mapping[str, Record]], path: Path
) -> dict[str, Record]:
    """Return the last record of each sample; one that is final is not replaced.

    Raises UserError where two are final and their answers differ.
    """
    joined = dict(before)
    for journal in journals:
        for name, record in journal.items():
            known = joined.get(name)
            if known is None or not known.final:
                joined[name] = record
            elif record.final and (record.finish, record.text) != (known.finish, known.text):
                raise UserError(
                    f"The sample {name} has another answer in {path}, or in another shard. Choose "
                    "another --out, or leave out the shard that is not of this run."
                )
    return joined


def _manifest(before: Manifest, shards: Sequence[ShardFolder]) -> Manifest:
    """Return the run's manifest, with the sessions of all shards in the order of their start."""
    manifests = [before, *(shard.manifest for shard in shards)]
    unique = {canonical(one): one for manifest in manifests for one in manifest.sessions}
    sessions = tuple(sorted(unique.values(), key=lambda session: session.started))
    if mixed := _mixed_versions(sessions):
        warn(f"the answers are of different versions: {', '.join(mixed)}")
    times = next((one.times for one in manifests if one.times is not None), None)
    root = next((one.data_root for one in manifests if one.data_root is not None), None)
    subset = shards[0].manifest.subset
    return replace(before, subset=subset, sessions=sessions, times=times, data_root=root)


def _mixed_versions(sessions: Iterable[Session]) -> list[str]:
    by_package: dict[str, set[str]] = {}
    for session in sessions:
        for name, version in session.versions.items():
            by_package.setdefault(name, set()).add(version)
    return [
        f"{name} {' and '.join(sorted(versions))}"
        for name, versions in sorted(by_package.items())
        if len(versions) > 1
    ]


def _unfinished(
    shards: Sequence[ShardFolder], journals: Sequence[Mapping[str, Record]]
) -> tuple[ShardState, ...]:
    """Return the state of each shard of the run that is not finished, or not there."""
    of = shards[0].shard.of
    states = {number: ShardState(Shard(number, of)) for number in range(1, of + 1)}
    for folder, records in zip(shards, journals, strict=True):
        done = sum(record.final for record in records.values())
        number = folder.shard.number
        if states[number].asked is None or done > states[number].done:
            states[number] = ShardState(folder.shard, done, folder.manifest.asked)
    return tuple(state for state in states.values() if not state.finished)
