"""The leaderboard's contents: published results, blind floors, and entered runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.task import Card

from .entries import MANIFESTS, LeaderboardEntry, entry_file, load_entries
from .floor_rows import FloorRow, load_floors
from .published import SITE, UNSPECIFIED, Number, Published, Setting
from .published_files import load_published
from .ranking import Key

SHIPPED = Path(__file__).parent
PUBLISHED, FLOORS = "published", "floors.csv"


@dataclass(frozen=True, slots=True)
class Board:
    """All data behind tables and ranks. `cards`: by task name, for tasks with entered runs."""

    published: Published
    floors: tuple[FloorRow, ...]
    entries: tuple[LeaderboardEntry, ...]
    cards: Mapping[str, Card]

    @property
    def slugs(self) -> tuple[str, ...]:
        """Return the page names: benchmarks in the data's order, then tasks that only have runs."""
        tasks = sorted({entry.task for entry in self.entries})
        unpublished = [task for task in tasks if self.published.of_task(task) is None]
        return (*self.published.benchmarks, *unpublished)

    def task_of(self, slug: str) -> str:
        """Return the task of a page, empty if it has none."""
        benchmark = self.published.benchmarks.get(slug)
        return benchmark.task if benchmark else slug

    def numbers_of(self, slug: str) -> tuple[Number, ...]:
        """Return a page's published numbers."""
        return tuple(n for n in self.published.numbers if n.benchmark == slug)

    def entries_of(self, slug: str) -> tuple[LeaderboardEntry, ...]:
        """Return a page's runs."""
        task = self.task_of(slug)
        return tuple(entry for entry in self.entries if task and entry.task == task)

    def condition_of(self, entry: LeaderboardEntry) -> str:
        """Return the condition (subtitles) that a run's benchmark requires to be equal."""
        if entry.subtitles:
            return "with subtitles"
        benchmark = self.published.of_task(entry.task)
        return "without subtitles" if benchmark and benchmark.conditions != ("",) else ""

    def entry_key(self, entry: LeaderboardEntry, metric: str) -> Key:
        """Return the comparison key of a run's figure."""
        return Key(entry.split, self.condition_of(entry), metric, entry.setting)

    def is_whole(self, entry: LeaderboardEntry) -> bool:
        """Tell whether a run covers as many samples as the task's card lists for the split."""
        return entry.subset.whole and entry.subset.size == self._split_size(entry)

    def coverage(self, entry: LeaderboardEntry) -> str:
        """Return in words how much of the split a run covers; a part is named by its digest."""
        size = entry.subset.size
        if self.is_whole(entry):
            return f"all {size} samples"
        total = self._split_size(entry)
        return f"NOT THE WHOLE SPLIT: {size} of {total} samples ({entry.subset.digest[:8]})"

    def _split_size(self, entry: LeaderboardEntry) -> int:
        splits = self.cards[entry.task].splits
        return next(split.queries for split in splits if split.name == entry.split)

    def mark(self, number: Number) -> str:
        """Return the mark of a number not read in its original source, else an empty text."""
        if self.published.sources[number.source].kind == SITE:
            return "†"
        return {"no": "*", "copy": "‡", "source": ""}[number.read]


MARKS = (
    "* second-hand: the source was not read.",
    "† attributed to the model by a leaderboard site; no table with it was found.",
    "‡ read in a table that repeats it, not in the original source.",
    "≠ sources disagree about this model, split and metric in the same setting; see below.",
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Different numbers for one model on the same split, condition and metric, in ascending order.

    Their setting is the same too, as far as each source states it.
    """

    numbers: tuple[Number, ...]

    @property
    def difference(self) -> float:
        """Return the difference between the highest and the lowest number, in points."""
        values = [n.value for n in self.numbers]
        return max(values) - min(values)


def disagreements(numbers: Iterable[Number]) -> tuple[Disagreement, ...]:
    """Return all disagreements, those with the largest difference first."""
    cells: dict[tuple[str, ...], dict[Setting, list[Number]]] = {}
    for n in numbers:
        cell = cells.setdefault((n.benchmark, n.model, n.split, n.condition, n.metric), {})
        cell.setdefault(n.setting, []).append(n)
    unordered = [
        Disagreement(tuple(sorted(group, key=lambda n: (n.value, n.source, n.location))))
        for cell in cells.values()
        for group in _by_setting(cell)
        if len({n.value for n in group}) > 1
    ]

    def order(conflict: Disagreement) -> tuple[float, str, str]:
        first = conflict.numbers[0]
        return -round(conflict.difference, 6), first.benchmark, first.model

    return tuple(sorted(unordered, key=order))


def _by_setting(cell: Mapping[Setting, list[Number]]) -> Iterable[list[Number]]:
    """Return the numbers of each stated setting together with those whose setting is not stated."""
    unspecified = cell.get(UNSPECIFIED, [])
    stated = [group for setting, group in cell.items() if setting != UNSPECIFIED]
    return [[*group, *unspecified] for group in stated] or [unspecified]


def load_board(folder: Path, registry: Registry, extra: Iterable[LeaderboardEntry] = ()) -> Board:
    """Read the leaderboard's folder; `extra` are runs to add to those entered in it.

    Raises UserError that names file and row of an invalid, changed or unknown value.
    """
    floors = load_floors(folder / PUBLISHED / FLOORS)
    published = load_published(folder / PUBLISHED, registry.tasks, registry.protocols)
    by_name = {entry.name: entry for entry in load_entries(folder / MANIFESTS)}
    by_name |= {entry.name: entry for entry in extra}
    for entry in by_name.values():
        if entry.task not in registry.tasks:
            raise UserError(f'{entry_file(entry.name)}: there is no task "{entry.task}".')
    entries = tuple(by_name[name] for name in sorted(by_name))
    cards: dict[str, Card] = {e.task: registry.task(e.task).card for e in entries}
    for entry in entries:
        if entry.split not in {split.name for split in cards[entry.task].splits}:
            raise UserError(f'{entry_file(entry.name)}: there is no split "{entry.split}".')
    return Board(published, floors, entries, cards)
