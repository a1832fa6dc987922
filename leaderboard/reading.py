"""Reading the published results: every row is checked, and what is wrong names file and row."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vtg_eval.annotations.records import AnnotationRecord
from vtg_eval.errors import DataError, suggestion
from vtg_eval.files.toml_tables import converted, load_toml

from .published import (
    SETTINGS,
    SOURCE_KINDS,
    Benchmark,
    Model,
    Number,
    PageRow,
    Published,
    Read,
    Source,
    page_number,
)
from .signing import CHECK, read_rows, verify_files, verify_row

MODEL_COLUMNS = ("model", "size_b", "base_model", "training")
SOURCE_COLUMNS = ("id", "kind", "title", "arxiv", "url", "year")
PAGE_COLUMNS = ("source", "model", "place", "benchmark", "split", "condition", "metric", "value")
NUMBER_COLUMNS = (
    *("model", "split", "condition", "metric", "value", "setting", "note", "evaluator"),
    *("protocol", "frames", "budget", "source", "location", "read", CHECK),
)


@dataclass(frozen=True, slots=True)
class BenchmarksFile:
    """benchmarks.toml."""

    benchmark: tuple[Benchmark, ...]


def load_published(
    folder: Path, tasks: Collection[str], protocols: Collection[str], signed: bool = True
) -> Published:
    """Read and check all files of `folder`; raises UserError that names file and row.

    tasks, protocols: the names that rows may use. signed: also check digits and digests.
    """
    benchmarks = _benchmarks(folder / "benchmarks.toml", tasks)
    models = {m.name: m for m in map(_model, read_rows(folder / "models.csv", MODEL_COLUMNS))}
    sources = {s.id: s for s in map(_source, read_rows(folder / "sources.csv", SOURCE_COLUMNS))}
    numbers: list[Number] = []
    for path in sorted((folder / "results").glob("*.csv")):
        if path.stem not in benchmarks:
            raise DataError(
                f'{path}: there is no benchmark "{path.stem}" in benchmarks.toml. '
                f"{suggestion(path.stem, benchmarks)}"
            )
        for row in read_rows(path, NUMBER_COLUMNS):
            number = _number(row, benchmarks[path.stem], protocols)
            _known(row, "model", models, "models.csv")
            _known(row, "source", sources, "sources.csv")
            if signed:
                verify_row(row, f"{number.model}, {number.metric} {number.text}")
            numbers.append(number)
    _refuse_repeats(numbers)
    rows = read_rows(folder / "pages.csv", PAGE_COLUMNS)
    pages = tuple(_page_row(row, benchmarks, models, sources) for row in rows)
    found = Published(benchmarks, models, sources, tuple(numbers), pages)
    for line in pages:
        page_number(found, line)
    if signed:
        verify_files(folder)
    return found


def _benchmarks(path: Path, tasks: Collection[str]) -> dict[str, Benchmark]:
    listed = load_toml(path, "a list of benchmarks", lambda table: converted(table, BenchmarksFile))
    for each in listed.benchmark:
        where = f"{path}, {each.slug}"
        if each.task and each.task not in tasks:
            raise DataError(
                f'{where}: there is no task "{each.task}". {suggestion(each.task, tasks)}'
            )
        if each.primary not in each.metrics or each.main not in each.splits:
            raise DataError(f"{where}: `primary` must be a metric and `main` a split.")
        for size in each.sizes:
            if size.split not in each.splits or size.metric not in ("", *each.metrics):
                raise DataError(f"{where}: a size of {size.split} {size.metric} fits no number.")
    return {each.slug: each for each in listed.benchmark}


def _model(row: AnnotationRecord) -> Model:
    size = row.text("size_b")
    return Model(
        row.text("model"),
        row.seconds("size_b") if size else None,
        row.text("base_model"),
        row.text("training"),
    )


def _source(row: AnnotationRecord) -> Source:
    _one_of(row, "kind", SOURCE_KINDS)
    for key in ("id", "title"):
        if not row.text(key):
            raise DataError(f'{row.where}: "{key}" is empty.')
    if row.text("url") and not re.match(r"https://[\w.-]+/?[\w./#?=&-]*$", row.text("url")):
        raise DataError(f'{row.where}: "url" must be an https address.')
    return Source(*(row.text(key) for key in SOURCE_COLUMNS))


def _number(row: AnnotationRecord, benchmark: Benchmark, protocols: Collection[str]) -> Number:
    _one_of(row, "split", benchmark.splits)
    _one_of(row, "condition", benchmark.conditions)
    _one_of(row, "metric", benchmark.metrics)
    _one_of(row, "setting", SETTINGS)
    _one_of(row, "read", get_args(Read))
    if row.text("protocol"):
        _one_of(row, "protocol", protocols)
    if not row.text("location"):
        raise DataError(f'{row.where}: "location" is empty: say where in the source it stands.')
    texts = {key: row.text(key) for key in NUMBER_COLUMNS if key not in ("value", CHECK)}
    return Number(
        benchmark=benchmark.slug,
        value=_percent(row),
        text=row.text("value"),
        where=row.where,
        **texts,  # type: ignore[arg-type]
    )


def _percent(row: AnnotationRecord) -> float:
    text = row.text("value")
    value = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else math.nan
    if not 0 <= value <= 100:
        raise DataError(f'{row.where}: "value" must be a number from 0 to 100, not {text!r}.')
    return value


def _page_row(
    row: AnnotationRecord,
    benchmarks: Mapping[str, Benchmark],
    models: Mapping[str, Model],
    sources: Mapping[str, Source],
) -> PageRow:
    _known(row, "source", sources, "sources.csv")
    _known(row, "model", models, "models.csv")
    _known(row, "benchmark", benchmarks, "benchmarks.toml")
    benchmark = benchmarks[row.text("benchmark")]
    _one_of(row, "split", benchmark.splits)
    _one_of(row, "condition", benchmark.conditions)
    _one_of(row, "metric", benchmark.metrics)
    return PageRow(
        source=row.text("source"),
        model=row.text("model"),
        place=int(row.seconds("place")),
        benchmark=benchmark.slug,
        split=row.text("split"),
        condition=row.text("condition"),
        metric=row.text("metric"),
        value=_percent(row) if row.text("value") else None,
        where=row.where,
    )


def _known(row: AnnotationRecord, key: str, known: Collection[str], file: str) -> None:
    name = row.text(key)
    if name not in known:
        raise DataError(
            f'{row.where}: the {key} "{name}" is not in {file}. {suggestion(name, known)}'
        )


def _one_of(row: AnnotationRecord, key: str, known: Collection[str]) -> None:
    if row.text(key) not in known:
        shown = suggestion(row.text(key), known)
        raise DataError(f'{row.where}: "{key}" cannot be {row.text(key)!r} here. {shown}')


def _refuse_repeats(numbers: list[Number]) -> None:
    seen: dict[tuple[str, ...], Number] = {}
    for n in numbers:
        where = (n.benchmark, n.model, n.split, n.condition, n.metric, n.setting, n.note)
        key = (*where, n.evaluator, n.source, n.location)
        if key in seen:
            raise DataError(f"{n.where} says again what {seen[key].where} says.")
        seen[key] = n
