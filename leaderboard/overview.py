"""The leaderboard's overview and its list of sources."""

from __future__ import annotations

from collections.abc import Iterable

from .board import MARKS, Board, disagreements
from .documents import EMPTY, Document, DocumentTable, Link, Section, TableCell
from .pages import disagreement_section, entry_cell, source_cell
from .published import Benchmark, Setting, condition_text

WIDEST = 20
INDEX, SOURCES = "index", "sources"
HOW = (
    "Written by vtg-eval leaderboard build; do not edit by hand.",
    "Reported: numbers that sources print, with who measured them if known. Reproduced here: "
    "runs of vtg-eval, entered with their digests. The two never share a table.",
    "Rows of one table differ in prompts, frames and scoring rules, so numbers of the same model "
    "differ too: see the last table. A floor is the score of a predictor that never sees a video.",
    "Best reported leaves out second-hand numbers and those that only a leaderboard site has.",
)


def overview_page(board: Board) -> Document:
    """Return the page with one row for each benchmark and the largest disagreements."""
    conflicts = disagreements(board.published.numbers)
    sections = [Section("Benchmarks", (), _benchmarks(board))]
    if conflicts:
        widest = conflicts[:WIDEST]
        title = f"The {len(widest)} largest of {len(conflicts)} disagreements between sources"
        sections.append(disagreement_section(title, board, widest))
    return Document(INDEX, "Leaderboard", (*HOW, *MARKS[:3]), tuple(sections))


def sources_page(board: Board) -> Document:
    """Return the list of sources."""
    head = ("id", "title", "kind", "year", "arXiv", "numbers")
    counts: dict[str, int] = {}
    for number in board.published.numbers:
        counts[number.source] = counts.get(number.source, 0) + 1
    rows = tuple(
        (
            TableCell(s.id, anchor=f"source-{s.id}"),
            TableCell(s.title, Link("web", s.url) if s.url else None),
            *(TableCell(text) for text in (s.kind, s.year, s.arxiv)),
            TableCell(str(counts.get(s.id, 0)), order=counts.get(s.id, 0)),
        )
        for s in board.published.sources.values()
    )
    text = ("The sources of the reported numbers. A source without a link has no known address.",)
    return Document(
        SOURCES, "Sources", text, (Section("All sources", (), DocumentTable(head, rows)),)
    )


def _benchmarks(board: Board) -> DocumentTable:
    head = (
        *("benchmark", "numbers", "models", "sources", "metric", "split"),
        *("best zero-shot", "best fine-tuned", "best floor", "reproduced here"),
    )
    rows = []
    for slug in board.slugs:
        benchmark = board.published.benchmarks.get(slug)
        if benchmark is None:
            rows.append(_runs_only(board, slug))
            continue
        numbers = board.numbers_of(slug)
        main = (benchmark.main, condition_text(benchmark.conditions[0]))
        rows.append(
            (
                TableCell(benchmark.name, Link("page", slug)),
                _count(numbers),
                _count({n.model for n in numbers}),
                _count({n.source for n in numbers}),
                TableCell(benchmark.primary),
                TableCell(", ".join(filter(None, main))),
                _best_reported(board, benchmark, "zero-shot"),
                _best_reported(board, benchmark, "fine-tuned"),
                _best_floor(board, benchmark),
                _best_run(board, slug, benchmark.primary, benchmark.main, benchmark.conditions[0]),
            )
        )
    return DocumentTable(head, tuple(rows))


def _runs_only(board: Board, slug: str) -> tuple[TableCell, ...]:
    first = board.entries_of(slug)[0]
    primary, split = first.figures.primary, first.split
    name = TableCell(board.cards[slug].title, Link("page", slug))
    floors = first.figures.floors.items()
    values = [(metrics.get(primary) or 0.0, floor) for floor, metrics in floors]
    value, floor = max(values, default=(0.0, ""))
    best_floor = TableCell(f"{value:.1f} {floor}", order=value) if floor else EMPTY
    head = (
        name,
        *(TableCell("0", order=0),) * 3,
        TableCell(primary),
        TableCell(split),
        EMPTY,
        EMPTY,
    )
    return (*head, best_floor, _best_run(board, slug, primary, split, ""))


def _count(values: Iterable[object]) -> TableCell:
    number = len(list(values))
    return TableCell(str(number), order=number)


def _best_reported(board: Board, benchmark: Benchmark, setting: Setting) -> TableCell:
    key = (benchmark.main, benchmark.conditions[0], benchmark.primary, setting)
    numbers = [
        n
        for n in board.numbers_of(benchmark.slug)
        if (n.split, n.condition, n.metric, n.setting) == key and n.read != "no"
    ]
    if not numbers:
        return EMPTY
    best = max(numbers, key=lambda n: n.value)
    cell = source_cell(board, best, board.mark(best))
    return TableCell(f"{cell.text} {best.model}", cell.link, cell.order)


def _best_floor(board: Board, benchmark: Benchmark) -> TableCell:
    key = (benchmark.task, benchmark.main, benchmark.primary)
    floors = [f for f in board.floors if (f.task, f.split, f.metric) == key]
    if not floors:
        return EMPTY
    best = max(floors, key=lambda f: f.value)
    return TableCell(f"{best.text} {best.floor}", order=best.value)


def _best_run(board: Board, slug: str, metric: str, split: str, condition: str) -> TableCell:
    runs = [
        e
        for e in board.entries_of(slug)
        if board.is_whole(e) and (e.split, board.condition_of(e)) == (split, condition)
    ]
    runs = [e for e in runs if e.figures.metrics.get(metric) is not None]
    if not runs:
        return EMPTY
    best = max(runs, key=lambda e: e.figures.metrics[metric] or 0.0)
    cell = entry_cell(best, metric)
    return TableCell(f"{cell.text} {best.model}, {best.protocol}", cell.link, cell.order)
