"""The leaderboard's pages, one for each benchmark: *reproduced here* and *reported* apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vtg_eval.files.json_files import Metrics

from .board import MARKS, Board, Disagreement, disagreements
from .documents import EMPTY, Document, DocumentTable, Link, Section, TableCell
from .entries import LeaderboardEntry
from .published import Benchmark, Number, PublishedModel, condition_text

REPORTED_HEAD = ("model", "size (B)", "setting", "measured by")
REPORTED_TAIL = ("protocol", "frames", "budget", "source", "where")
REPRODUCED_HEAD = ("model", "setting")


def benchmark_page(board: Board, slug: str) -> Document:
    """Return the page of a benchmark, or of a task that only has runs."""
    benchmark = board.published.benchmarks.get(slug)
    sections = [*_reproduced(board, slug)]
    if benchmark is None:
        title, text = board.cards[slug].title, ("There are no published results.",)
        return Document(slug, title, text, tuple(sections))
    conflicts = disagreements(board.numbers_of(slug))
    sections += _reported(board, benchmark, {n for c in conflicts for n in c.numbers})
    if conflicts:
        table = _disagreement_table(board, conflicts)
        sections.append(Section("Where sources disagree", (), table))
    task = f"The task {benchmark.task} of vtg-eval." if benchmark.task else "No task of vtg-eval."
    units = "Values are percentages. Reported numbers are shown as their source prints them:"
    paragraphs = (f"{benchmark.kind}. {task}", units, *MARKS)
    return Document(slug, benchmark.name, paragraphs, tuple(sections))


def source_cell(board: Board, number: Number, mark: str = "") -> TableCell:
    """Return a number's cell, with a link to its source."""
    text = f"{number.text} {mark}".strip()
    return TableCell(text, _source_link(board, number.source), number.value)


def _source_link(board: Board, source: str) -> Link:
    """Return the link to a source's address, or to the list of sources if it has none."""
    url = board.published.sources[source].url
    return Link("web", url) if url else Link("source", source)


def disagreement_section(title: str, board: Board, conflicts: Sequence[Disagreement]) -> Section:
    """Return a table of disagreements, each with its benchmark."""
    table = _disagreement_table(board, conflicts)
    benchmarks = [board.published.benchmarks[c.numbers[0].benchmark] for c in conflicts]
    rows = (
        (TableCell(benchmark.name, Link("page", benchmark.slug)), *row)
        for benchmark, row in zip(benchmarks, table.rows, strict=True)
    )
    return Section(title, (), DocumentTable(("benchmark", *table.head), tuple(rows)))


def _percent(value: float | None) -> TableCell:
    """Return a figure's cell, to one decimal."""
    return TableCell("–") if value is None else TableCell(f"{value:.1f}", order=value)


def entry_cell(entry: LeaderboardEntry, metric: str) -> TableCell:
    """Return a run's figure with its interval and a link to the run's entry."""
    value = entry.figures.metrics.get(metric)
    low, high = entry.figures.intervals.get(metric, (None, None))
    cell = _percent(value)
    text = cell.text if low is None or high is None else f"{cell.text} [{low:.1f}, {high:.1f}]"
    return TableCell(text, Link("run", entry.name), value)


def _reproduced(board: Board, slug: str) -> Iterable[Section]:
    """Yield a table for each split, condition, protocol and subset, as these are not comparable."""
    groups: dict[tuple[str, ...], list[LeaderboardEntry]] = {}
    for entry in board.entries_of(slug):
        key = (entry.split, board.condition_of(entry), entry.protocol, board.coverage(entry))
        groups.setdefault((*key, *entry.data), []).append(entry)
    for (*labels, version, digest), entries in sorted(groups.items()):
        title = f"Reproduced here: {', '.join(filter(None, labels))}"
        names = entries[0].figures.headline
        ordered = sorted(entries, key=lambda e: (-(e.figures.metrics.get(names[0]) or 0.0), e.name))
        rows = [
            (
                TableCell(e.model, Link("run", e.name)),
                TableCell(e.setting),
                *(entry_cell(e, m) for m in names),
            )
            for e in ordered
        ]
        for e in ordered:
            rows += [_metrics_row(f"floor: {f}", m, names) for f, m in _new_floors(e, ordered)]
            if e.figures.ceiling is not None:
                label = f"ceiling of {e.model}'s frames"
                rows.append(_metrics_row(label, e.figures.ceiling, names))
        text = [
            f"Task version {version}, annotations {digest[:8]}. 95 % intervals over videos. "
            "Figures link to the run's entry."
        ]
        text += [_failure_line(e) for e in ordered if e.figures.failures]
        yield Section(title, tuple(text), DocumentTable((*REPRODUCED_HEAD, *names), tuple(rows)))


def _new_floors(
    entry: LeaderboardEntry, ordered: Sequence[LeaderboardEntry]
) -> Iterable[tuple[str, Metrics]]:
    """Return the floors of a run that no run above it in the table has."""
    above = ordered[: ordered.index(entry)]
    seen = [pair for e in above for pair in e.figures.floors.items()]
    return [pair for pair in entry.figures.floors.items() if pair not in seen]


def _metrics_row(name: str, figures: Metrics, names: Sequence[str]) -> tuple[TableCell, ...]:
    return (TableCell(name), EMPTY, *(_percent(figures.get(metric)) for metric in names))


def _failure_line(entry: LeaderboardEntry) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in entry.figures.failures.items())
    return f"Failures of {entry.model}: {counts}."


def _reported(board: Board, benchmark: Benchmark, disputed: set[Number]) -> Iterable[Section]:
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
                rows += _number_rows(board, numbers, names, benchmark.primary, disputed)
                title = ", ".join(filter(None, (f"Reported: {split}", condition_text(condition))))
                head = (*REPORTED_HEAD, *names, *REPORTED_TAIL)
                yield Section(title, (), DocumentTable(head, tuple(rows)))


def _floor_rows(
    board: Board, benchmark: Benchmark, split: str, names: Sequence[str]
) -> Iterable[tuple[TableCell, ...]]:
    rows: dict[tuple[str, str], dict[str, TableCell]] = {}
    for row in board.floors:
        if (row.task, row.split) == (benchmark.task, split):
            cells = rows.setdefault((row.floor, row.protocol), {})
            cells[row.metric] = TableCell(row.text, order=row.value)
    for (floor, protocol), cells in rows.items():
        figures = (cells.get(name, EMPTY) for name in names)
        head = (TableCell(f"floor: {floor}"), EMPTY, TableCell("blind"), TableCell("vtg-eval"))
        yield (*head, *figures, TableCell(protocol), *[EMPTY] * 4)


def _number_rows(
    board: Board,
    numbers: Iterable[Number],
    names: Sequence[str],
    primary: str,
    disputed: set[Number],
) -> list[tuple[TableCell, ...]]:
    groups: dict[tuple[str, ...], list[Number]] = {}
    for n in numbers:
        key = (n.model, n.setting, n.note, n.evaluator, n.protocol, n.frames, n.budget)
        groups.setdefault((*key, n.source, n.location), []).append(n)
    by = [primary, *(name for name in names if name != primary)]

    def order(group: list[Number]) -> tuple[float | str, ...]:
        values = {n.metric: n.value for n in group}
        return (*(-values.get(name, -1.0) for name in by), group[0].model, group[0].source)

    ordered = sorted(groups.values(), key=order)
    return [_number_row(board, group, names, disputed) for group in ordered]


def _number_row(
    board: Board, group: Sequence[Number], names: Sequence[str], disputed: set[Number]
) -> tuple[TableCell, ...]:
    first = group[0]
    cells = {}
    for number in group:
        mark = board.mark(number) + "≠" * (number in disputed)
        cells[number.metric] = source_cell(board, number, mark)
    setting = f"{first.setting} ({first.note})" if first.note else first.setting
    model = board.published.models[first.model]
    source = board.published.sources[first.source]
    return (
        TableCell(first.model),
        _size_cell(model),
        TableCell(setting),
        TableCell(first.evaluator),
        *(cells.get(name, EMPTY) for name in names),
        *(TableCell(text) for text in (first.protocol, first.frames, first.budget)),
        TableCell(source.id, Link("source", source.id)),
        TableCell(first.location),
    )


def _size_cell(model: PublishedModel) -> TableCell:
    """Return a model's size, empty if it is unknown."""
    return EMPTY if model.size_b is None else TableCell(f"{model.size_b:g}", order=model.size_b)


def _disagreement_table(board: Board, conflicts: Sequence[Disagreement]) -> DocumentTable:
    head = ("model", "split", "setting", "metric", "lowest", "highest", "difference", "all")
    rows = []
    for conflict in conflicts:
        low, high = conflict.numbers[0], conflict.numbers[-1]
        numbers = ", ".join(f"{n.text} ({n.evaluator or n.source})" for n in conflict.numbers)
        split = ", ".join(filter(None, (low.split, condition_text(low.condition))))
        setting = ", ".join(sorted({n.setting for n in conflict.numbers}))
        rows.append(
            (
                *(TableCell(text) for text in (low.model, split, setting, low.metric)),
                source_cell(board, low),
                source_cell(board, high),
                TableCell(f"{conflict.difference:.1f}", order=conflict.difference),
                TableCell(numbers),
            )
        )
    return DocumentTable(head, tuple(rows))
