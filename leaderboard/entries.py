"""Runs entered in the leaderboard: their metadata, their figures, and digests of both."""

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
from vtg_eval.run.spec import RunSpec, rules_name

from .published import Setting

FORMAT = 1
MANIFESTS = "manifests"  # the folder of the entries, in the sources and in the tables
NAME = re.compile(r"[A-Za-z0-9._@-]+")
UNANSWERED = (Failure.ERROR, Failure.MISSING)


@dataclass(frozen=True, slots=True)
class Answers:
    """The journal's answers: how many, and sha256 over sample ids, finish reasons and texts."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of `TaskResults` over the whole run, in percent."""

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
    """One run. `name` is its file name without suffix.

    spec: the run's full spec, including the protocol. versions: the distinct sets of versions of
    the run's starts. Its JSON has a digest of each field, and a `signature` over the digests.
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
        """The protocol's name, with that of the profile if there is one."""
        return rules_name(str(self.spec["protocol"]["name"]), str(self.spec.get("profile", "")))

    @property
    def data(self) -> tuple[str, str]:
        """The task's version and the digest of the annotations."""
        return str(self.spec["task_version"]), str(self.spec["annotations"])

    @property
    def subtitles(self) -> bool:
        """Whether the model's input had subtitles."""
        return bool(self.spec["protocol"]["prompt"]["subtitles"] != "none")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with the digests."""
        parts: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        digests = {part: sha256(canonical(value)) for part, value in parts.items()}
        signature = sha256(canonical(digests))
        return {"format": FORMAT, **parts, "digests": digests, "signature": signature}


def entry_file(name: str) -> str:
    """Return the path of an entry's file, relative to the leaderboard's data or to the tables."""
    return f"{MANIFESTS}/{name}.json"


def make_entry(
    path: Path, registry: Registry, root: Path | None, setting: Setting
) -> LeaderboardEntry:
    """Return the run in the folder at `path` as an entry, scored again from its journal.

    Raises UserError if samples have no answer yet, or if results.json differs from the journal.
    """
    folder = RunFolder(path)
    manifest = folder.manifest()
    results = rescore(path, registry, root)
    if results.transformation:
        raise UserError(
            f"{path} is a probe ({results.transformation}): its videos are not the benchmark's. "
            "Enter the original run."
        )
    unanswered = sum(results.failures.get(kind, 0) for kind in UNANSWERED)
    if unanswered:
        raise UserError(
            f"{path} is not finished: {unanswered} of {results.n_expected} samples have no "
            "answer. Run its command again."
        )
    _refuse_other_results(folder, results)
    records = read_journal(folder.journal_file)
    ids = {sample.id for sample in results.samples}
    answers = sorted([r.id, r.finish, r.text] for r in records.values() if r.id in ids)
    return LeaderboardEntry(
        # the default name of the run's folder
        name=RunSpec.from_json(manifest.spec).folder_name,
        setting=setting,
        spec=manifest.spec,
        subset=results.subset,
        versions=_versions(manifest),
        answers=Answers(len(answers), sha256(canonical(answers))),
        figures=Figures(**{f.name: getattr(results, f.name) for f in fields(Figures)}),
    )


def _refuse_other_results(folder: RunFolder, results: TaskResults) -> None:
    try:
        text = folder.results_file.read_text(encoding="utf-8")
        stored = load_results(json.loads(text)).to_json()
    except FileNotFoundError as exc:
        raise UserError(f"{folder.path} has no results.json. Run its command again.") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise UserError(f"{folder.results_file} cannot be read: {exc}") from exc
    for part, value in results.to_json().items():
        stored_text, text = json.dumps(stored[part]), json.dumps(value)
        if not _equal(json.loads(stored_text), json.loads(text)):
            raise UserError(
                f"{folder.results_file} differs from the journal: {part} is {stored_text[:60]}, "
                f"but {text[:60]} by the journal. It was changed, or made by another version: "
                "run the run's command again."
            )


def _equal(a: Any, b: Any) -> bool:
    """Compare JSON values; numbers to nine digits, as the order of sums differs between numpys."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _versions(manifest: Manifest) -> tuple[Mapping[str, str], ...]:
    distinct: list[Mapping[str, str]] = []
    for session in manifest.sessions:
        if session.versions not in distinct:
            distinct.append(session.versions)
    return tuple(distinct)


def load_entries(folder: Path) -> tuple[LeaderboardEntry, ...]:
    """Read all entries of a folder, by name; raises UserError that names the file."""
    return tuple(load_entry(path) for path in sorted(folder.glob("*.json")))


def load_entry(path: Path) -> LeaderboardEntry:
    """Read an entry; raises UserError if it was changed after it was signed."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["format"] != FORMAT:
            raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
        parts = {field.name: table[field.name] for field in fields(LeaderboardEntry)}
        for part, value in parts.items():
            if table["digests"][part] != sha256(canonical(value)):
                raise UserError(
                    f"{path}: its {part} was changed after it was signed. Delete the file, or add "
                    "the run again with `vtg-eval leaderboard add`."
                )
        entry = _entry(parts)
        signed = table["signature"] == sha256(canonical(table["digests"]))
        complete = table.keys() == entry.to_json().keys()
        if not (signed and complete and entry.name == path.stem and NAME.fullmatch(entry.name)):
            raise ValueError("its signature or its name does not match its content")
        return entry
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as exc:
        raise UserError(f"{path} is not an entry of the leaderboard: {exc!r}") from exc


def _entry(parts: Mapping[str, Any]) -> LeaderboardEntry:
    entry = msgspec.convert(parts, LeaderboardEntry)
    _check_figures(entry.figures)
    if not all((entry.task, entry.split, entry.model, entry.protocol, *entry.data)):
        raise ValueError("its spec lacks a name")
    if not isinstance(entry.spec["protocol"]["prompt"]["subtitles"], str):
        raise TypeError("its spec does not state whether there were subtitles")
    return entry


def _check_figures(figures: Figures) -> None:
    """Raise ValueError if a figure is not a percentage or a headline metric has none."""
    groups = (figures.metrics, figures.ceiling or {}, *figures.floors.values())
    pairs = figures.intervals.values()
    values = [v for group in groups for v in group.values()] + [v for pair in pairs for v in pair]
    if not all(value is None or 0 <= value <= 100 for value in values):
        raise ValueError("a figure is not a percentage")
    if not {figures.primary, *figures.headline} <= {*figures.metrics} or not figures.headline:
        raise ValueError("a headline metric has no figure")
