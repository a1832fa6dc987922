"""Where a run or a published model stands, as a paper's page shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vtg_eval.errors import UserError, suggestion

from .board import Board
from .comparable_rows import (
    ComparisonSet,
    comparison_set_of_number,
    comparison_set_of_run,
    entry_figure,
)
from .entries import LeaderboardEntry
from .published import SITE, Benchmark, Number, PageRow, page_number
from .ranking import Figure, Key, RankRange, number_key, place, published_figure


@dataclass(frozen=True, slots=True)
class Standing:
    """One line: a figure and its place.

    result: as printed, "–" where there is none. place: None where nothing is comparable. among:
    the rows that it is ranked among, in words. left_out: rows of the same metric that may not be
    compared. protocols: how often each protocol is stated among them ("": not stated). mark: what
    stands behind the figure.
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
    """Return the places of a run's figures among comparable rows; `board` may hold the run."""
    benchmark = board.published.of_task(entry.task)
    names = benchmark.metrics if benchmark else entry.figures.headline
    own = [name for name in names if entry.figures.metrics.get(name) is not None]
    return tuple(_run_standing(board, entry, benchmark, name) for name in own)


def site_page(board: Board, model: str) -> tuple[Standing, ...]:
    """Return a leaderboard site's page on a model, in its order; empty where there is none."""
    _check_model(board, model)
    lines = sorted(
        (row for row in board.published.pages if row.model == model), key=lambda r: r.place
    )
    return tuple(_page_standing(board, line) for line in lines)


def model_standings(board: Board, model: str) -> tuple[Standing, ...]:
    """Return the places of all numbers that sources print of a model, those of sites left out."""
    _check_model(board, model)
    own = [n for n in board.published.numbers if n.model == model]
    sites = board.published.sources
    return tuple(
        _number_standing(board, n, _mark(board, n)) for n in own if sites[n.source].kind != SITE
    )


def _check_model(board: Board, model: str) -> None:
    if model not in board.published.models:
        known = suggestion(model, board.published.models)
        raise UserError(f'Nothing is published of a model "{model}". {known}')


def _run_standing(
    board: Board, entry: LeaderboardEntry, benchmark: Benchmark | None, metric: str
) -> Standing:
    value = entry.figures.metrics[metric] or 0.0
    key = board.entry_key(entry, metric)
    low, high = entry.figures.intervals.get(metric, (None, None))
    shown = f"{value:.1f}"
    if low is not None and high is not None:
        shown += f" [{low:.1f}, {high:.1f}]"
    field = comparison_set_of_run(board, entry, metric)
    return Standing(
        kind=benchmark.kind if benchmark else board.cards[entry.task].title,
        dataset=_dataset(benchmark.name if benchmark else entry.task, key),
        metric=metric,
        result=shown,
        setting=entry.setting,
        place=_place(entry_figure(entry, metric), field),
        among=_among(key) + ("" if board.is_whole(entry) else f"; {board.asked(entry)}"),
        left_out=field.left_out,
        protocol=entry.protocol,
        protocols=_protocols(field),
        mark="reproduced here",
    )


def _page_standing(board: Board, line: PageRow) -> Standing:
    site = board.published.sources[line.source].title
    number = page_number(board.published, line)
    benchmark = board.published.benchmarks[line.benchmark]
    if number is None:
        key = Key(line.split, line.condition, line.metric, "unspecified")
        return Standing(
            kind=benchmark.kind,
            dataset=_dataset(benchmark.name, key),
            metric=line.metric,
            result="–",
            setting=key.setting,
            place=None,
            among="no value",
            left_out=0,
            protocol="",
            protocols=(),
            mark=f"listed by {site}",
        )
    mark = f"attributed by {site}"
    if number.source != line.source:
        source = board.published.sources[number.source]
        mark += f"; confirmed by {source.title.split(':')[0]}, {number.location}"
    return _number_standing(board, number, mark)


def _number_standing(board: Board, number: Number, mark: str) -> Standing:
    benchmark = board.published.benchmarks[number.benchmark]
    key = number_key(number)
    field = comparison_set_of_number(board, number)
    return Standing(
        kind=benchmark.kind,
        dataset=_dataset(benchmark.name, key),
        metric=number.metric,
        result=number.text,
        setting=number.setting,
        place=_place(published_figure(number, benchmark), field),
        among=_among(key),
        left_out=field.left_out,
        protocol=number.protocol,
        protocols=_protocols(field),
        mark=mark,
    )


def _mark(board: Board, number: Number) -> str:
    source = board.published.sources[number.source]
    how = {"source": "", "copy": ", read in a copy", "no": ", second-hand"}[number.read]
    by = f", measured by {number.evaluator}" if number.evaluator else ""
    return f"{source.title.split(':')[0]}, {number.location}{how}{by}"


def _dataset(name: str, key: Key) -> str:
    words = (name, "" if key.split == "unspecified" else key.split, key.condition)
    return " ".join(filter(None, words))


def _among(key: Key) -> str:
    said = {"setting": f"{key.setting} rows", "split": key.split, "condition": key.condition}
    parts = [text for name, text in said.items() if text and name not in key.unsaid]
    parts += [f"any {name} (its own is not stated)" for name in key.unsaid]
    return ", ".join(parts)


def _place(own: Figure, field: ComparisonSet) -> RankRange | None:
    return place(own, [rival.figure for rival in field.rows]) if field.rows else None


def _protocols(field: ComparisonSet) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(rival.protocol for rival in field.rows).items()))


def protocol_line(standings: Sequence[Standing]) -> str:
    """Say under which protocols the rows were measured that ranks are among."""
    counts: Counter[str] = Counter()
    for standing in standings:
        counts.update(dict(standing.protocols))
    if not counts:
        return "Nothing comparable is known."
    told = ", ".join(f"{name or 'not stated'} {count}" for name, count in sorted(counts.items()))
    return f"Protocols of the rows that ranks are among, over all lines: {told}."
