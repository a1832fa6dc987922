"""The pages of the leaderboard: one for each benchmark, *reproduced here* and *reported* apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vtg_eval.files.json_files import Metrics

from .board import MARKS, Board, Disagreement, disagreements
from .documents import EMPTY, Cell, Link, Page, Section, Table
from .entries import LeaderboardEntry
from .published import Benchmark, Model, Number, condition_text

REPORTED_HEAD = ("model", "size (B)", "setting", "measured by")
REPORTED_TAIL = ("protocol", "frames", "budget", "source", "where")
REPRODUCED_HEAD = ("model", "setting")


def benchmark_page(board: Board, slug: str) -> Page:
    """Return the page of a benchmark, or of a task of which there are runs alone."""
    benchmark = board.published.benchmarks.get(slug)
    sections = [*_reproduced(board, slug)]
    if benchmark is None:
        return Page(
            slug, board.cards[slug].title, ("Nothing is published of it.",), tuple(sections)
        )
    apart = disagreements(board.numbers_of(slug))
    sections += _reported(board, benchmark, {n for d in apart for n in d.numbers})
    if apart:
        sections.append(_apart("Where sources disagree", board, apart))
    text = [f"{benchmark.kind}. " + (_task_line(benchmark) or "No task of vtg-eval.")]
    text.append("Percent. Reported numbers stand as their source prints them:")
    return Page(slug, benchmark.name, (*text, *MARKS), tuple(sections))


def source_cell(board: Board, number: Number, mark: str = "") -> Cell:
    """Return a number that links its source."""
    text = f"{number.text} {mark}".strip()
    return Cell(text, _source_link(board, number.source), number.value)


def _source_link(board: Board, source: str) -> Link:
    """Return the source's address, or its place in the list of sources where it has none."""
    url = board.published.sources[source].url
    return Link("web", url) if url else Link("source", source)


def apart_section(title: str, board: Board, found: Sequence[Disagreement]) -> Section:
    """Return a table of disagreements, each with the benchmark it is on."""
    table = _apart(title, board, found).table
    names = board.published.benchmarks
    firsts = [d.numbers[0].benchmark for d in found]
    rows = (
        (Cell(names[slug].name, Link("page", slug)), *row)
        for slug, row in zip(firsts, table.rows, strict=True)
    )
    return Section(title, (), Table(("benchmark", *table.head), tuple(rows)))


def _percent(value: float | None) -> Cell:
    """Return a figure of ours, to one decimal."""
    return Cell("–") if value is None else Cell(f"{value:.1f}", order=value)


def entry_cell(entry: LeaderboardEntry, metric: str) -> Cell:
    """Return a run's figure with its interval; it links the run's entry."""
    value = entry.figures.metrics.get(metric)
    low, high = entry.figures.intervals.get(metric, (None, None))
    cell = _percent(value)
    text = cell.text if low is None or high is None else f"{cell.text} [{low:.1f}, {high:.1f}]"
    return Cell(text, Link("run", entry.name), value)


def _task_line(benchmark: Benchmark) -> str:
    return f"The task {benchmark.task} of vtg-eval." if benchmark.task else ""


def _reproduced(board: Board, slug: str) -> Iterable[Section]:
    """Yield a table for each split, condition, protocol and subset: they are not comparable."""
    groups: dict[tuple[str, ...], list[LeaderboardEntry]] = {}
    for entry in board.entries_of(slug):
        key = (entry.split, board.condition_of(entry), entry.protocol, board.asked(entry))
        groups.setdefault((*key, *entry.data), []).append(entry)
    for (*words, version, digest), entries in sorted(groups.items()):
        title = f"Reproduced here: {', '.join(filter(None, words))}"
        names = entries[0].figures.headline
        ordered = sorted(entries, key=lambda e: (-(e.figures.metrics.get(names[0]) or 0.0), e.name))
        rows = [
            (
                Cell(e.model, Link("run", e.name)),
                Cell(e.setting),
                *(entry_cell(e, m) for m in names),
            )
            for e in ordered
        ]
        for e in ordered:
            rows += [_own_row(f"floor: {name}", each, names) for name, each in _floors(e, ordered)]
            if e.figures.ceiling is not None:
                rows.append(_own_row(f"ceiling of {e.model}'s frames", e.figures.ceiling, names))
        text = [
            f"Task version {version}, annotations {digest[:8]}. 95 % intervals over videos. "
            "Figures link the run's entry."
        ]
        text += [_ledger(e) for e in ordered if e.figures.failures]
        yield Section(title, tuple(text), Table((*REPRODUCED_HEAD, *names), tuple(rows)))


def _floors(
    entry: LeaderboardEntry, ordered: Sequence[LeaderboardEntry]
) -> Iterable[tuple[str, Metrics]]:
    """Return the floors of a run, unless a run above it in the table has the same."""
    above = ordered[: ordered.index(entry)]
    seen = [(name, each) for e in above for name, each in e.figures.floors.items()]
    return [pair for pair in entry.figures.floors.items() if pair not in seen]


def _own_row(name: str, figures: Metrics, names: Sequence[str]) -> tuple[Cell, ...]:
    return (Cell(name), EMPTY, *(_percent(figures.get(metric)) for metric in names))


def _ledger(entry: LeaderboardEntry) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in entry.figures.failures.items())
    return f"Ledger of {entry.model}: {counts}."


def _reported(board: Board, benchmark: Benchmark, apart: set[Number]) -> Iterable[Section]:
    for split in benchmark.splits:
        for condition in benchmark.conditions:
            numbers = [
                n
                for n in board.numbers_of(benchmark.slug)
                if (n.split, n.condition) == (split, condition)
            ]
            if numbers:
                names = [m for m in benchmark.metrics if any(n.metric == m for n in numbers)]
                rows = [*_floor_rows(board, benchmark, split, names)]
                rows += _number_rows(board, numbers, names, benchmark.primary, apart)
                title = ", ".join(filter(None, (f"Reported: {split}", condition_text(condition))))
                head = (*REPORTED_HEAD, *names, *REPORTED_TAIL)
                yield Section(title, (), Table(head, tuple(rows)))


def _floor_rows(
    board: Board, benchmark: Benchmark, split: str, names: Sequence[str]
) -> Iterable[tuple[Cell, ...]]:
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for row in board.floors:
        if (row.task, row.split) == (benchmark.task, split):
            cells = rows.setdefault((row.floor, row.protocol), {})
            cells[row.metric] = Cell(row.text, order=row.value)
    for (floor, protocol), cells in rows.items():
        figures = (cells.get(name, EMPTY) for name in names)
        head = (Cell(f"floor: {floor}"), EMPTY, Cell("blind"), Cell("vtg-eval"))
        yield (*head, *figures, Cell(protocol), *[EMPTY] * 4)


def _number_rows(
    board: Board, numbers: Iterable[Number], names: Sequence[str], primary: str, apart: set[Number]
) -> list[tuple[Cell, ...]]:
    groups: dict[tuple[str, ...], list[Number]] = {}
    for n in numbers:
        key = (n.model, n.setting, n.note, n.evaluator, n.protocol, n.frames, n.budget)
        groups.setdefault((*key, n.source, n.location), []).append(n)
    by = [primary, *(name for name in names if name != primary)]

    def rank(group: list[Number]) -> tuple[float | str, ...]:
        values = {n.metric: n.value for n in group}
        return (*(-values.get(name, -1.0) for name in by), group[0].model, group[0].source)

    ordered = sorted(groups.values(), key=rank)
    return [_number_row(board, group, names, apart) for group in ordered]


def _number_row(
    board: Board, group: Sequence[Number], names: Sequence[str], apart: set[Number]
) -> tuple[Cell, ...]:
    first = group[0]
    cells = {}
    for number in group:
        mark = board.mark(number) + "≠" * (number in apart)
        cells[number.metric] = source_cell(board, number, mark)
    setting = f"{first.setting} ({first.note})" if first.note else first.setting
    model = board.published.models[first.model]
    source = board.published.sources[first.source]
    return (
        Cell(first.model),
        _size_cell(model),
        Cell(setting),
        Cell(first.evaluator),
        *(cells.get(name, EMPTY) for name in names),
        *(Cell(text) for text in (first.protocol, first.frames, first.budget)),
        Cell(source.id, Link("source", source.id)),
        Cell(first.location),
    )


def _size_cell(model: Model) -> Cell:
    """Return a model's size, empty where it is not known."""
    return EMPTY if model.size_b is None else Cell(f"{model.size_b:g}", order=model.size_b)


def _apart(title: str, board: Board, found: Sequence[Disagreement]) -> Section:
    head = ("model", "split", "setting", "metric", "lowest", "highest", "points apart", "all")
    rows = []
    for each in found:
        low, high = each.numbers[0], each.numbers[-1]
        told = ", ".join(f"{n.text} ({n.evaluator or n.source})" for n in each.numbers)
        split = ", ".join(filter(None, (low.split, condition_text(low.condition))))
        setting = ", ".join(sorted({n.setting for n in each.numbers}))
        rows.append(
            (
                *(Cell(text) for text in (low.model, split, setting, low.metric)),
                source_cell(board, low),
                source_cell(board, high),
                Cell(f"{each.spread:.1f}", order=each.spread),
                Cell(told),
            )
        )
    return Section(title, (), Table(head, tuple(rows)))
