"""Reads the files of published results. Every row is checked; errors name file and row."""

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
    Number,
    PageRow,
    Published,
    PublishedModel,
    PublishedSource,
    Read,
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

    tasks, protocols: the names that rows may use. signed: also verify check digits and digests.
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
            _require_listed(row, "model", models, "models.csv")
            _require_listed(row, "source", sources, "sources.csv")
            if signed:
                verify_row(row, f"{number.model}, {number.metric} {number.text}")
            numbers.append(number)
    _refuse_duplicates(numbers)
    rows = read_rows(folder / "pages.csv", PAGE_COLUMNS)
    pages = tuple(_page_row(row, benchmarks, models, sources) for row in rows)
    published = Published(benchmarks, models, sources, tuple(numbers), pages)
    for page_row in pages:
        page_number(published, page_row)
    if signed:
        verify_files(folder)
    return published


def _benchmarks(path: Path, tasks: Collection[str]) -> dict[str, Benchmark]:
    file = load_toml(path, "a list of benchmarks", lambda table: converted(table, BenchmarksFile))
    for benchmark in file.benchmark:
        where = f"{path}, {benchmark.slug}"
        if benchmark.task and benchmark.task not in tasks:
            raise DataError(
                f'{where}: there is no task "{benchmark.task}". {suggestion(benchmark.task, tasks)}'
            )
        if benchmark.primary not in benchmark.metrics or benchmark.main not in benchmark.splits:
            raise DataError(f"{where}: `primary` must be a metric and `main` a split.")
        for size in benchmark.sizes:
            if size.split not in benchmark.splits or size.metric not in ("", *benchmark.metrics):
                raise DataError(f"{where}: a size of {size.split} {size.metric} matches no number.")
    return {benchmark.slug: benchmark for benchmark in file.benchmark}


def _model(row: AnnotationRecord) -> PublishedModel:
    size = row.text("size_b")
    return PublishedModel(
        row.text("model"),
        row.seconds("size_b") if size else None,
        row.text("base_model"),
        row.text("training"),
    )


def _source(row: AnnotationRecord) -> PublishedSource:
    _require_one_of(row, "kind", SOURCE_KINDS)
    for key in ("id", "title"):
        if not row.text(key):
            raise DataError(f'{row.where}: "{key}" is empty.')
    if row.text("url") and not re.match(r"https://[\w.-]+/?[\w./#?=&-]*$", row.text("url")):
        raise DataError(f'{row.where}: "url" must be an https address.')
    return PublishedSource(*(row.text(key) for key in SOURCE_COLUMNS))


def _number(row: AnnotationRecord, benchmark: Benchmark, protocols: Collection[str]) -> Number:
    _require_one_of(row, "split", benchmark.splits)
    _require_one_of(row, "condition", benchmark.conditions)
    _require_one_of(row, "metric", benchmark.metrics)
    _require_one_of(row, "setting", SETTINGS)
    _require_one_of(row, "read", get_args(Read))
    if row.text("protocol"):
        _require_one_of(row, "protocol", protocols)
    if not row.text("location"):
        raise DataError(f'{row.where}: "location" is empty: name the table in the source.')
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
    models: Mapping[str, PublishedModel],
    sources: Mapping[str, PublishedSource],
) -> PageRow:
    _require_listed(row, "source", sources, "sources.csv")
    _require_listed(row, "model", models, "models.csv")
    _require_listed(row, "benchmark", benchmarks, "benchmarks.toml")
    benchmark = benchmarks[row.text("benchmark")]
    _require_one_of(row, "split", benchmark.splits)
    _require_one_of(row, "condition", benchmark.conditions)
    _require_one_of(row, "metric", benchmark.metrics)
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


def _require_listed(row: AnnotationRecord, key: str, names: Collection[str], file: str) -> None:
    name = row.text(key)
    if name not in names:
        raise DataError(
            f'{row.where}: the {key} "{name}" is not in {file}. {suggestion(name, names)}'
        )


def _require_one_of(row: AnnotationRecord, key: str, allowed: Collection[str]) -> None:
    if row.text(key) not in allowed:
        hint = suggestion(row.text(key), allowed)
        raise DataError(f'{row.where}: "{key}" cannot be {row.text(key)!r} here. {hint}')


def _refuse_duplicates(numbers: list[Number]) -> None:
    seen: dict[tuple[str, ...], Number] = {}
    for n in numbers:
        figure = (n.benchmark, n.model, n.split, n.condition, n.metric, n.setting, n.note)
        key = (*figure, n.evaluator, n.source, n.location)
        if key in seen:
            raise DataError(f"{n.where} repeats {seen[key].where}.")
        seen[key] = n
