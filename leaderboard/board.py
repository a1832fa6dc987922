"""The leaderboard's contents: what is published, the blind floors, and the runs that were added."""

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
from .ranking import Key
from .reading import load_published

SHIPPED = Path(__file__).parent
PUBLISHED, FLOORS = "published", "floors.csv"


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that tables and ranks are made of. `cards`: those of the tasks with runs."""

    published: Published
    floors: tuple[FloorRow, ...]
    entries: tuple[LeaderboardEntry, ...]
    cards: Mapping[str, Card]

    @property
    def slugs(self) -> tuple[str, ...]:
        """Return the pages' names: benchmarks in the data's order, then tasks with runs alone."""
        tasks = sorted({entry.task for entry in self.entries})
        alone = [task for task in tasks if self.published.of_task(task) is None]
        return (*self.published.benchmarks, *alone)

    def task_of(self, slug: str) -> str:
        """Return the task of a page, empty where it has none."""
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
        """Return what a run's benchmark asks to be equal, in the run's case."""
        if entry.subtitles:
            return "with subtitles"
        benchmark = self.published.of_task(entry.task)
        return "without subtitles" if benchmark and benchmark.conditions != ("",) else ""

    def entry_key(self, entry: LeaderboardEntry, metric: str) -> Key:
        """Return what a run's figure can be compared with."""
        return Key(entry.split, self.condition_of(entry), metric, entry.setting)

    def is_whole(self, entry: LeaderboardEntry) -> bool:
        """Tell whether a run was asked all that its task's card counts in the split."""
        return entry.subset.whole and entry.subset.size == self._expected(entry)

    def asked(self, entry: LeaderboardEntry) -> str:
        """Say how much of the split was asked; a part is named by its digest."""
        size = entry.subset.size
        if self.is_whole(entry):
            return f"all {size} samples"
        of = self._expected(entry)
        return f"NOT THE WHOLE SPLIT: {size} of {of} samples ({entry.subset.digest[:8]})"

    def _expected(self, entry: LeaderboardEntry) -> int:
        splits = self.cards[entry.task].splits
        return next(facts.queries for facts in splits if facts.name == entry.split)

    def mark(self, number: Number) -> str:
        """Return the mark of a number that is not read where it first stands."""
        if self.published.sources[number.source].kind == SITE:
            return "†"
        return {"no": "*", "copy": "‡", "source": ""}[number.read]


MARKS = (
    "* second-hand: the source was not read.",
    "† attributed to the model by a leaderboard site; no table with it was found.",
    "‡ read in a table that repeats it, not where it first stands.",
    "≠ sources disagree about this model, split and metric in the same setting; see below.",
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Numbers of one model on the same split, condition and metric that differ.

    Their setting is the same too, as far as each source says it.
    """

    numbers: tuple[Number, ...]

    @property
    def spread(self) -> float:
        """Return how far they are apart, in points."""
        values = [n.value for n in self.numbers]
        return max(values) - min(values)


def disagreements(numbers: Iterable[Number]) -> tuple[Disagreement, ...]:
    """Return all of them, the widest first; each with its numbers from the lowest up."""
    cells: dict[tuple[str, ...], dict[Setting, list[Number]]] = {}
    for n in numbers:
        cell = cells.setdefault((n.benchmark, n.model, n.split, n.condition, n.metric), {})
        cell.setdefault(n.setting, []).append(n)
    found = [
        Disagreement(tuple(sorted(group, key=lambda n: (n.value, n.source, n.location))))
        for cell in cells.values()
        for group in _by_setting(cell)
        if len({n.value for n in group}) > 1
    ]
    first = [d.numbers[0] for d in found]
    order = sorted(
        range(len(found)),
        key=lambda k: (-round(found[k].spread, 6), first[k].benchmark, first[k].model, k),
    )
    return tuple(found[k] for k in order)


def _by_setting(cell: Mapping[Setting, list[Number]]) -> Iterable[list[Number]]:
    """Return the numbers of each setting with those that do not say theirs."""
    unsaid = cell.get(UNSPECIFIED, [])
    said = [group for setting, group in cell.items() if setting != UNSPECIFIED]
    return [[*group, *unsaid] for group in said] or [unsaid]


def load_board(folder: Path, registry: Registry, more: Iterable[LeaderboardEntry] = ()) -> Board:
    """Read the leaderboard's folder; `more` are runs that stand beside those in it.

    Raises UserError that names file and row for what is wrong, changed or unknown.
    """
    floors = load_floors(folder / PUBLISHED / FLOORS)
    published = load_published(folder / PUBLISHED, registry.tasks, registry.protocols)
    found = {entry.name: entry for entry in load_entries(folder / MANIFESTS)}
    found |= {entry.name: entry for entry in more}
    for entry in found.values():
        if entry.task not in registry.tasks:
            raise UserError(f'{entry_file(entry.name)}: there is no task "{entry.task}".')
    entries = tuple(found[name] for name in sorted(found))
    cards: dict[str, Card] = {e.task: registry.task(e.task).card for e in entries}
    for entry in entries:
        if entry.split not in {facts.name for facts in cards[entry.task].splits}:
            raise UserError(f'{entry_file(entry.name)}: there is no split "{entry.split}".')
    return Board(published, floors, entries, cards)
