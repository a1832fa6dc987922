"""Tasks: a benchmark's card (data) and how its records become samples (code)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any

from vtg_eval.errors import ContractError, DataError, MissingFileError, UserError, suggestion
from vtg_eval.files.toml_tables import converted, load_toml
from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.types import Cue, Sample

LONGEST_VIDEO, LONGEST_NAME = 1000, 250  # bytes of a video's path, and of a name in it
# What ends a line or moves a cursor, and half characters.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SplitMetadata:
    """What a split should contain: numbers of videos and queries (samples), 0 for not known."""

    name: str
    videos: int
    queries: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An annotation file: `path` relative to the task's folder, where it comes from, its digest.

    `fetch` is an address that may be fetched without asking anyone; None where the user must
    download it by hand from `home`.
    """

    path: str
    home: str
    sha256: str
    fetch: str | None = None
    needed_for: tuple[str, ...] = ()
    unpack: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A benchmark's machine-checked metadata, read from the TOML file beside its module.

    `version` is like "2-A": the number changes when scores stop being comparable, the letter
    when only the interface does. `constant_span` is the blind constant fitted on the train
    split, as fractions of the duration; None where it is fitted from the available data.
    `report_by` is a grouping whose accuracies are metrics; `average` is the name of their plain
    (macro) mean, empty where it is not reported. `reannotates` is the task whose evaluation videos
    this one scores by annotations of its own, empty for none.
    """

    name: str
    title: str
    version: str
    paper: str
    home: str
    licence: str
    metric_family: str
    default_split: str
    splits: tuple[SplitMetadata, ...]
    sample_ids: str
    videos: str
    default_protocol: str = DEFAULT_PROTOCOL
    report_by: str = ""
    average: str = ""
    reannotates: str = ""
    files: tuple[SourceFile, ...] = ()
    constant_span: tuple[float, float] | None = None
    constant_span_source: str = ""
    gotchas: tuple[str, ...] = ()

    def split_size(self, name: str, annotated: int) -> int:
        """Return how many samples the split has by the card, else as many as are `annotated`."""
        return next((s.queries for s in self.splits if s.name == name), 0) or annotated

    def split(self, name: str | None) -> str:
        """Return the split's name (the default for None); raises UserError on an unknown one."""
        names = [metadata.name for metadata in self.splits]
        chosen = name or self.default_split
        if chosen not in names:
            raise UserError(f'{self.name} has no split "{chosen}". {suggestion(chosen, names)}')
        return chosen


def load_card(path: Path) -> Card:
    """Read a card; raises UserError that names the file and the key when it is malformed."""
    return load_toml(path, "a task card", lambda table: converted(table, Card))


class Task(ABC):
    """A benchmark. `root` below is the data root: the task's folder or the folder above it."""

    card: Card

    def __init_subclass__(cls) -> None:
        """Check what `samples` and `video_path` of the class return, wherever they are called."""
        super().__init_subclass__()
        for name, check in (("samples", _checked_samples), ("video_path", _checked_path)):
            if name in vars(cls):
                setattr(cls, name, check(vars(cls)[name]))

    @abstractmethod
    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples in the order of the annotation file; needs no video.

        Raises MissingFileError where the annotation is missing, and DataError that names file
        and line (or key) for a malformed record.
        """

    @abstractmethod
    def video_path(self, root: Path, video: str) -> Path:
        """Return where that video belongs (it may be missing)."""

    def subtitles(self, root: Path, sample: Sample) -> Sequence[Cue]:
        """Return the subtitles of a sample's video; empty where it has none.

        Raises DataError for a file that cannot be read.
        """
        return ()

    def prepare(  # noqa: B027 - may be a no-op
        self, root: Path, split: str | None = None, videos: Collection[str] | None = None
    ) -> None:
        """Make a split's files without a network (generated benchmarks); a no-op elsewhere.

        videos: ids of the required ones (None: all of the split).
        """

    def with_duration(self, sample: Sample, seconds: float) -> Sample:
        """Return a sample whose annotation has no duration with the one of its video's file.

        A task whose groups depend on the duration adds them here.
        """
        return replace(sample, duration=seconds)

    def folder(self, root: Path) -> Path:
        """Return the task's folder: `root`/<task name> where that exists, else `root`."""
        folder = root / self.card.name
        return folder if folder.is_dir() else root

    def file(self, root: Path, name: str) -> Path:
        """Return an annotation file's path; raises MissingFileError that names its source."""
        path = self.folder(root) / name
        if path.is_file():
            return path
        source = next((f for f in self.card.files if f.path == name), None)
        hint = f" It comes from {source.home}." if source else ""
        raise MissingFileError(
            f"{self.card.name}: {path} is missing (the task's folder is {root / self.card.name} "
            f"where that exists, else {root}).{hint} "
            f"`vtg-eval data prepare {self.card.name}` says what belongs where."
        )


def is_video_name(video: str) -> bool:
    """Tell whether a video's name is the relative path of a file below the data's folders."""
    parts = [part for part in video.split("/") if part not in ("", ".")]
    if not parts or video.startswith("/") or ".." in parts or CONTROL.search(video):
        return False
    size = len(video.encode())
    return size <= LONGEST_VIDEO and all(len(part.encode()) <= LONGEST_NAME for part in parts)


def _checked_samples(method: Callable[..., Any]) -> Callable[..., tuple[Sample, ...]]:
    """Return `samples` so that it raises ContractError for anything but samples."""

    @wraps(method)
    def samples(task: Task, root: Path, split: str) -> tuple[Sample, ...]:
        values = method(task, root, split)
        if not isinstance(values, Iterable) or isinstance(values, str):
            raise ContractError(task, f"samples returned {type(values).__name__}, not samples")
        checked = tuple(values)
        for sample in checked:
            if not isinstance(sample, Sample):
                raise ContractError(task, f"samples returned a {type(sample).__name__}, no Sample")
            if not all(isinstance(v, str) for v in (sample.id, sample.video, sample.query)):
                raise ContractError(
                    task, "samples returned a sample whose id, video or query is not text"
                )
        return checked

    return samples


def _checked_path(method: Callable[..., Any]) -> Callable[..., Path]:
    """Return `video_path` so that it raises ContractError for anything but a path."""

    @wraps(method)
    def video_path(task: Task, root: Path, video: str) -> Path:
        path = method(task, root, video)
        if not isinstance(path, Path):
            raise ContractError(task, f"video_path returned {type(path).__name__}, not a Path")
        return path

    return video_path


def found_video(
    folder: Path,
    root: Path,
    video: str,
    folders: Sequence[str] = ("videos",),
    suffixes: Sequence[str] = (".mp4",),
) -> Path:
    """Return the first usual path at which the video exists, else the first usual path.

    Usual are `folders` in the task's folder and in `root`, with each suffix ("" where the id has
    one already). Raises DataError for an id that leads out of them or that no file can have.
    """
    if not is_video_name(video):
        raise DataError(f"The annotation names a video outside of the data: {video[:80]!r}.")
    paths = (
        parent.joinpath(name, f"{video}{suffix}")
        for parent in (folder, root)
        for name in folders
        for suffix in suffixes
    )
    first = next(paths)
    return next((path for path in chain([first], paths) if path.is_file()), first)
