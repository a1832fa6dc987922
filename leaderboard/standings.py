"""Where a run or a published model stands, as a paper's page shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vtg_eval.errors import UserError
from vtg_eval.names import nearest

from .board import Board
from .entries import Entry
from .pages import subset_text
from .published import SITE, Benchmark, Number, PageRow, page_number
from .ranking import Figure, Key, Place, number_key, place, published_figure


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
    place: Place | None
    among: str
    left_out: int
    protocol: str
    protocols: tuple[tuple[str, int], ...]
    mark: str


@dataclass(frozen=True, slots=True)
class Rival:
    """A row that something is ranked among."""

    model: str
    protocol: str
    figure: Figure


def run_standings(board: Board, entry: Entry) -> tuple[Standing, ...]:
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
        known = nearest(model, board.published.models)
        raise UserError(f'Nothing is published of a model "{model}". {known}')


def _run_standing(board: Board, entry: Entry, benchmark: Benchmark | None, metric: str) -> Standing:
    value = entry.figures.metrics[metric] or 0.0
    key = board.entry_key(entry, metric)
    low, high = entry.figures.intervals.get(metric, (None, None))
    shown = f"{value:.1f}"
    if low is not None and high is not None:
        shown += f" [{low:.1f}, {high:.1f}]"
    rivals, left_out = _rivals(board, benchmark, entry.task, key, entry)
    return Standing(
        kind=benchmark.kind if benchmark else board.titles[entry.task],
        dataset=_dataset(benchmark.name if benchmark else entry.task, key),
        metric=metric,
        result=shown,
        setting=entry.setting,
        place=place(_entry_figure(entry, metric), [r.figure for r in rivals]) if rivals else None,
        among=_among(key) + ("" if entry.subset.whole else f", on the same {subset_text(entry)}"),
        left_out=left_out,
        protocol=entry.protocol,
        protocols=_protocols(rivals),
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
    rivals, left_out = _rivals(board, benchmark, benchmark.task, key, number)
    own = published_figure(number, benchmark)
    return Standing(
        kind=benchmark.kind,
        dataset=_dataset(benchmark.name, key),
        metric=number.metric,
        result=number.text,
        setting=number.setting,
        place=place(own, [r.figure for r in rivals]) if rivals else None,
        among=_among(key),
        left_out=left_out,
        protocol=number.protocol,
        protocols=_protocols(rivals),
        mark=mark,
    )


def _mark(board: Board, number: Number) -> str:
    source = board.published.sources[number.source]
    how = {"source": "", "copy": ", read in a copy", "no": ", second-hand"}[number.read]
    by = f", measured by {number.evaluator}" if number.evaluator else ""
    return f"{source.title.split(':')[0]}, {number.location}{how}{by}"


def _rivals(
    board: Board, benchmark: Benchmark | None, task: str, key: Key, own: Number | Entry
) -> tuple[tuple[Rival, ...], int]:
    """Return what may be compared with `own`, and how many rows of its metric may not.

    Runs of a subset are compared with runs of the very same one. One number that several sources
    print of a model is one rival.
    """
    found: dict[tuple[str, float], Rival] = {}
    left_out = 0
    numbers = board.numbers_of(benchmark.slug) if benchmark else ()
    subset = own.subset if isinstance(own, Entry) else None
    whole = subset is None or subset.whole
    for n in numbers:
        if n is own or n.metric != key.metric:
            continue
        if isinstance(own, Number) and (n.model, n.value) == (own.model, own.value):
            continue
        if whole and benchmark and key.admits(number_key(n)):
            figure = published_figure(n, benchmark)
            found.setdefault((n.model, n.value), Rival(n.model, n.protocol, figure))
        else:
            left_out += 1
    runs: list[Rival] = []
    for entry in board.entries:
        value = entry.figures.metrics.get(key.metric)
        if entry is own or entry.task != task or value is None or _same_run(entry, own):
            continue
        same = entry.subset.whole if subset is None else entry.subset.digest == subset.digest
        if same and key.admits(board.entry_key(entry, key.metric)):
            runs.append(Rival(entry.model, entry.protocol, _entry_figure(entry, key.metric)))
        else:
            left_out += 1
    return (*found.values(), *runs), left_out


def _same_run(entry: Entry, own: Number | Entry) -> bool:
    return isinstance(own, Entry) and entry.name == own.name


def _entry_figure(entry: Entry, metric: str) -> Figure:
    """Return a run's figure; where it has no interval, equal figures alone share a rank."""
    low, high = entry.figures.intervals.get(metric, (None, None))
    half = 0.0 if low is None or high is None else (high - low) / 2
    return Figure(entry.figures.metrics[metric] or 0.0, half)


def _dataset(name: str, key: Key) -> str:
    words = (name, "" if key.split == "unspecified" else key.split, key.condition)
    return " ".join(filter(None, words))


def _among(key: Key) -> str:
    said = {"setting": f"{key.setting} rows", "split": key.split, "condition": key.condition}
    parts = [text for name, text in said.items() if text and name not in key.unsaid]
    parts += [f"any {name} (its own is not stated)" for name in key.unsaid]
    return ", ".join(parts)


def _protocols(rivals: Iterable[Rival]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(rival.protocol for rival in rivals).items()))


def protocol_line(standings: Sequence[Standing]) -> str:
    """Say under which protocols the rows were measured that ranks are among."""
    counts: Counter[str] = Counter()
    for standing in standings:
        counts.update(dict(standing.protocols))
    if not counts:
        return "Nothing comparable is known."
    told = ", ".join(f"{name or 'not stated'} {count}" for name, count in sorted(counts.items()))
    return f"Protocols of the rows that ranks are among, over all lines: {told}."
