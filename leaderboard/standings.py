"""The ranks of a run or of a published model, as data and as a text table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vtg_eval.console.tables import text_table
from vtg_eval.errors import UserError, suggestion
from vtg_eval.report.tables import NOTHING

from .board import Board
from .comparable_rows import (
    ComparisonSet,
    comparison_set_of_number,
    comparison_set_of_run,
    entry_figure,
)
from .entries import LeaderboardEntry
from .published import SITE, UNSPECIFIED, Benchmark, Number, PageRow, page_number
from .ranking import Figure, Key, RankRange, number_key, published_figure, rank_range

HEADERS = ("task", "dataset", "metric", "result", "rank", "among", "protocol", "evidence")


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure and its rank.

    result: as printed, "–" if there is none. place: its rank, None if no row is comparable.
    among: the comparable rows, in words. left_out: the number of rows of the same metric that are
    not comparable. protocols: how many comparable rows state each protocol ("": not stated).
    mark: the evidence for the figure.
    """

    kind: str
    dataset: str
    metric: str
    result: str
    setting: str
    place: RankRange | None
    among: str
    left_out: int
    protocol: str
    protocols: tuple[tuple[str, int], ...]
    mark: str


def run_standings(board: Board, entry: LeaderboardEntry) -> tuple[Standing, ...]:
    """Return the ranks of a run's figures; `board` may have the run among its entries."""
    benchmark = board.published.of_task(entry.task)
    names = benchmark.metrics if benchmark else entry.figures.headline
    names = tuple(name for name in names if entry.figures.metrics.get(name) is not None)
    return tuple(_run_standing(board, entry, benchmark, name) for name in names)


def site_page(board: Board, model: str) -> tuple[Standing, ...]:
    """Return a leaderboard site's page on a model, in its order; empty if there is none."""
    _check_model(board, model)
    rows = [row for row in board.published.pages if row.model == model]
    return tuple(_page_standing(board, row) for row in sorted(rows, key=lambda row: row.place))


def model_standings(board: Board, model: str) -> tuple[Standing, ...]:
    """Return the ranks of all numbers that sources print of a model, except leaderboard sites."""
    _check_model(board, model)
    sources = board.published.sources
    numbers = [n for n in board.published.numbers if n.model == model]
    numbers = [n for n in numbers if sources[n.source].kind != SITE]
    return tuple(_number_standing(board, n, _evidence(board, n)) for n in numbers)


def _check_model(board: Board, model: str) -> None:
    if model not in board.published.models:
        hint = suggestion(model, board.published.models)
        raise UserError(f'There are no published results of a model "{model}". {hint}')


def _run_standing(
    board: Board, entry: LeaderboardEntry, benchmark: Benchmark | None, metric: str
) -> Standing:
    value = entry.figures.metrics[metric] or 0.0
    key = board.entry_key(entry, metric)
    low, high = entry.figures.intervals.get(metric, (None, None))
    result = f"{value:.1f}"
    if low is not None and high is not None:
        result += f" [{low:.1f}, {high:.1f}]"
    comparison = comparison_set_of_run(board, entry, metric)
    return Standing(
        kind=benchmark.kind if benchmark else board.cards[entry.task].title,
        dataset=_dataset(benchmark.name if benchmark else entry.task, key),
        metric=metric,
        result=result,
        setting=entry.setting,
        place=_rank(entry_figure(entry, metric), comparison),
        among=_among(key) + ("" if board.is_whole(entry) else f"; {board.coverage(entry)}"),
        left_out=comparison.left_out,
        protocol=entry.protocol,
        protocols=_protocols(comparison),
        mark="reproduced here",
    )


def _page_standing(board: Board, row: PageRow) -> Standing:
    site = board.published.sources[row.source].title
    number = page_number(board.published, row)
    benchmark = board.published.benchmarks[row.benchmark]
    if number is None:
        key = Key(row.split, row.condition, row.metric, UNSPECIFIED)
        return Standing(
            kind=benchmark.kind,
            dataset=_dataset(benchmark.name, key),
            metric=row.metric,
            result=NOTHING,
            setting=key.setting,
            place=None,
            among="no value",
            left_out=0,
            protocol="",
            protocols=(),
            mark=f"listed by {site}",
        )
    mark = f"attributed by {site}"
    if number.source != row.source:
        source = board.published.sources[number.source]
        mark += f"; confirmed by {source.title.split(':')[0]}, {number.location}"
    return _number_standing(board, number, mark)


def _number_standing(board: Board, number: Number, mark: str) -> Standing:
    benchmark = board.published.benchmarks[number.benchmark]
    key = number_key(number)
    comparison = comparison_set_of_number(board, number)
    return Standing(
        kind=benchmark.kind,
        dataset=_dataset(benchmark.name, key),
        metric=number.metric,
        result=number.text,
        setting=number.setting,
        place=_rank(published_figure(number, benchmark), comparison),
        among=_among(key),
        left_out=comparison.left_out,
        protocol=number.protocol,
        protocols=_protocols(comparison),
        mark=mark,
    )


def _evidence(board: Board, number: Number) -> str:
    source = board.published.sources[number.source]
    read = {"source": "", "copy": ", read in a copy", "no": ", second-hand"}[number.read]
    evaluator = f", measured by {number.evaluator}" if number.evaluator else ""
    return f"{source.title.split(':')[0]}, {number.location}{read}{evaluator}"


def _dataset(name: str, key: Key) -> str:
    split = "" if key.split == UNSPECIFIED else key.split
    return " ".join(filter(None, (name, split, key.condition)))


def _among(key: Key) -> str:
    texts = {"setting": f"{key.setting} rows", "split": key.split, "condition": key.condition}
    parts = [text for name, text in texts.items() if text and name not in key.unspecified]
    parts += [f"any {name} (its own is not stated)" for name in key.unspecified]
    return ", ".join(parts)


def _rank(figure: Figure, comparison: ComparisonSet) -> RankRange | None:
    others = [row.figure for row in comparison.rows]
    return rank_range(figure, others) if others else None


def _protocols(comparison: ComparisonSet) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(row.protocol for row in comparison.rows).items()))


def standings_text(standings: Sequence[Standing]) -> str:
    """Return a table with one row for each figure, and a line on the comparable rows' protocols."""
    return f"{text_table(HEADERS, [_cells(s) for s in standings])}\n\n{_protocol_line(standings)}"


def _cells(standing: Standing) -> tuple[str, ...]:
    left_out = f"; not comparable: {standing.left_out}" if standing.left_out else ""
    return (
        standing.kind,
        standing.dataset,
        standing.metric,
        standing.result,
        str(standing.place) if standing.place else NOTHING,
        standing.among + left_out,
        standing.protocol or "not stated",
        standing.mark,
    )


def _protocol_line(standings: Sequence[Standing]) -> str:
    counts: Counter[str] = Counter()
    for standing in standings:
        counts.update(dict(standing.protocols))
    if not counts:
        return "No row is comparable."
    text = ", ".join(f"{name or 'not stated'} {count}" for name, count in sorted(counts.items()))
    return f"Protocols of the comparable rows, over all figures: {text}."
