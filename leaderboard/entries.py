"""Runs that stand on the leaderboard: what each was, its figures, and digests over all of that."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.json_files import Metrics
from vtg_eval.registry import Registry
from vtg_eval.run.finished import rescore
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.journal import read_journal
from vtg_eval.run.manifest import Manifest, Subset
from vtg_eval.run.results import TaskResults, load_results
from vtg_eval.run.spec import RunSpec

from .published import Setting

FORMAT = 1
MANIFESTS = "manifests"  # the folder of the entries, in the sources and in the tables
NAME = re.compile(r"[A-Za-z0-9._@-]+")
UNANSWERED = (Failure.ERROR, Failure.MISSING)


@dataclass(frozen=True, slots=True)
class Answers:
    """The journal's last words: for how many samples, and sha256 over ids, ends and texts."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What `TaskResults` says of a run as a whole, in percent; no samples, no spread."""

    primary: str
    headline: tuple[str, ...]
    n_expected: int
    n_scored: int
    metrics: Metrics
    intervals: Mapping[str, tuple[float | None, float | None]]
    failures: Mapping[Failure, int]
    floors: Mapping[str, Metrics]
    ceiling: Metrics | None


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """One run. `name` is the name of its file, without suffix.

    spec: the run's spec in full, the protocol in it. versions: those of each start, equal ones
    once. Its digests are over each of these parts, `signature` over the digests.
    """

    name: str
    setting: Setting
    spec: Mapping[str, Any]
    subset: Subset
    versions: tuple[Mapping[str, str], ...]
    answers: Answers
    figures: Figures

    @property
    def task(self) -> str:
        """The task's name."""
        return str(self.spec["task"])

    @property
    def split(self) -> str:
        """The split's name."""
        return str(self.spec["split"])

    @property
    def model(self) -> str:
        """The checkpoint's name."""
        return str(self.spec["model"])

    @property
    def protocol(self) -> str:
        """The protocol's name."""
        return str(self.spec["protocol"]["name"])

    @property
    def data(self) -> tuple[str, str]:
        """The task's version and the digest of the annotations."""
        return str(self.spec["task_version"]), str(self.spec["annotations"])

    @property
    def subtitles(self) -> bool:
        """Whether the model was given the spoken words."""
        return bool(self.spec["protocol"]["prompt"]["subtitles"] != "none")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values with the digests."""
        parts: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        digests = {part: sha256(canonical(value)) for part, value in parts.items()}
        signature = sha256(canonical(digests))
        return {"format": FORMAT, **parts, "digests": digests, "signature": signature}


def entry_file(name: str) -> str:
    """Return an entry's file by the entry's name, relative to the sources or the tables."""
    return f"{MANIFESTS}/{name}.json"


def make_entry(
    path: Path, registry: Registry, root: Path | None, setting: Setting
) -> LeaderboardEntry:
    """Return the run in the folder at `path` as an entry, scored again from its journal.

    Raises UserError where samples are not answered yet and where results.json says something
    else than the journal.
    """
    folder = RunFolder(path)
    manifest = folder.manifest()
    results = rescore(path, registry, root)
    open_samples = sum(results.failures.get(kind, 0) for kind in UNANSWERED)
    if open_samples:
        raise UserError(
            f"{path} is not finished: {open_samples} of {results.n_expected} samples have no "
            "answer. Run its command again."
        )
    _refuse_other_results(folder, results)
    records = read_journal(folder.journal_file)
    asked = {sample.id for sample in results.samples}
    told = sorted([r.id, r.finish, r.text] for r in records.values() if r.id in asked)
    return LeaderboardEntry(
        # the name that the run's folder has by default
        name=RunSpec.from_json(manifest.spec).folder_name,
        setting=setting,
        spec=manifest.spec,
        subset=results.subset,
        versions=_versions(manifest),
        answers=Answers(len(told), sha256(canonical(told))),
        figures=Figures(**{f.name: getattr(results, f.name) for f in fields(Figures)}),
    )


def _refuse_other_results(folder: RunFolder, results: TaskResults) -> None:
    try:
        text = folder.results_file.read_text(encoding="utf-8")
        stored = load_results(json.loads(text)).to_json()
    except FileNotFoundError as exc:
        raise UserError(f"{folder.path} has no results.json. Run its command again.") from exc
    except (OSError, ValueError) as exc:
        raise UserError(f"{folder.results_file} cannot be read: {exc}") from exc
    found = results.to_json()
    for part in found:
        there, here = json.dumps(stored[part]), json.dumps(found[part])
        if not _equal(json.loads(there), json.loads(here)):
            raise UserError(
                f"{folder.results_file} is not what the journal gives: {part} is {there[:60]} "
                f"there and {here[:60]} by the journal. It was changed, or made by another "
                "version: run the run's command again."
            )


def _equal(a: Any, b: Any) -> bool:
    """Compare JSON values; numbers by nine digits, for another numpy may sum in another order."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _versions(manifest: Manifest) -> tuple[Mapping[str, str], ...]:
    found: list[Mapping[str, str]] = []
    for session in manifest.sessions:
        if session.versions not in found:
            found.append(session.versions)
    return tuple(found)


def load_entries(folder: Path) -> tuple[LeaderboardEntry, ...]:
    """Read all entries of a folder, by name; raises UserError that names the file."""
    return tuple(load_entry(path) for path in sorted(folder.glob("*.json")))


def load_entry(path: Path) -> LeaderboardEntry:
    """Read an entry; raises UserError where it is not as it was signed."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["format"] != FORMAT:
            raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
        parts = {part.name: table[part.name] for part in fields(LeaderboardEntry)}
        for part, value in parts.items():
            if table["digests"][part] != sha256(canonical(value)):
                raise UserError(
                    f"{path}: its {part} was changed after it was signed. Take the file out, or "
                    "put the run there again by `vtg-eval leaderboard add`."
                )
        entry = _entry(parts)
        if table != entry.to_json() or entry.name != path.stem or not NAME.fullmatch(entry.name):
            raise ValueError("its signature or its name is not its own")
        return entry
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise UserError(f"{path} is not an entry of the leaderboard: {exc!r}") from exc


def _entry(parts: Mapping[str, Any]) -> LeaderboardEntry:
    entry = msgspec.convert(parts, LeaderboardEntry)
    _check_figures(entry.figures)
    if not all((entry.task, entry.split, entry.model, entry.protocol, *entry.data)):
        raise ValueError("its spec lacks a name")
    if not isinstance(entry.spec["protocol"]["prompt"]["subtitles"], str):
        raise TypeError("its spec does not say whether there were subtitles")
    return entry


def _check_figures(figures: Figures) -> None:
    """Raise ValueError where a figure cannot be one."""
    groups = (figures.metrics, figures.ceiling or {}, *figures.floors.values())
    pairs = figures.intervals.values()
    values = [v for group in groups for v in group.values()] + [v for pair in pairs for v in pair]
    if not all(value is None or 0 <= value <= 100 for value in values):
        raise ValueError("a figure is no percentage")
    if not {figures.primary, *figures.headline} <= {*figures.metrics} or not figures.headline:
        raise ValueError("a metric of the headline has no figure")
