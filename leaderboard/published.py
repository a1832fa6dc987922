"""Published results: what each number measures, its source, and whether that source was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from vtg_eval.errors import DataError

Setting = Literal["zero-shot", "fine-tuned", "unspecified"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
Read = Literal["source", "copy", "no"]
UNSPECIFIED: Literal["unspecified"] = "unspecified"
SITE = "leaderboard site"
SOURCE_KINDS = ("paper", "repository", "notes", SITE)


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model. `size_b`: billions of parameters, None if unknown; unknown texts are empty."""

    name: str
    size_b: float | None
    base_model: str
    training: str


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """A source of numbers. `url` may be empty; `kind` is one of SOURCE_KINDS."""

    id: str
    kind: str
    title: str
    arxiv: str
    url: str
    year: str


@dataclass(frozen=True, slots=True)
class SplitSize:
    """A split's number of samples; `metric` is empty if it holds for all metrics."""

    split: str
    samples: int
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark with published results; `task` is its vtg-eval task, empty if there is none.

    The overview shows the metric `primary` on the split `main`. conditions: the values of what
    else must be equal in comparable rows (subtitles), `("",)` if there is no such condition.
    """

    slug: str
    name: str
    task: str
    kind: str
    primary: str
    main: str
    metrics: tuple[str, ...]
    splits: tuple[str, ...]
    conditions: tuple[str, ...] = ("",)
    sizes: tuple[SplitSize, ...] = ()

    def samples(self, split: str, metric: str) -> int | None:
        """Return the number of samples behind a figure, None if unknown.

        For an unspecified split: the smallest split's, so that no difference is overstated.
        """
        sizes = [s for s in self.sizes if split in (s.split, UNSPECIFIED)]
        exact = [s.samples for s in sizes if s.metric == metric]
        return min(exact or [s.samples for s in sizes if not s.metric], default=None)


@dataclass(frozen=True, slots=True)
class Number:
    """One published number: `value` in percent, `text` as printed.

    evaluator: who measured it, if known. protocol: the vtg-eval protocol with the same rules, if
    any. frames, budget: the model's visual input, in the source's words. read: "source" (in the
    original source), "copy" (in a table that repeats it), "no" (second-hand). where: file and
    line.
    """

    benchmark: str
    model: str
    split: str
    condition: str
    metric: str
    value: float
    text: str
    setting: Setting
    note: str
    evaluator: str
    protocol: str
    frames: str
    budget: str
    source: str
    location: str
    read: Read
    where: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """A row of a leaderboard site's page on a model. `value` is None if the page shows none."""

    source: str
    model: str
    place: int
    benchmark: str
    split: str
    condition: str
    metric: str
    value: float | None
    where: str


@dataclass(frozen=True, slots=True)
class Published:
    """All published results, checked for consistency."""

    benchmarks: Mapping[str, Benchmark]
    models: Mapping[str, PublishedModel]
    sources: Mapping[str, PublishedSource]
    numbers: tuple[Number, ...]
    pages: tuple[PageRow, ...]

    def of_task(self, task: str) -> Benchmark | None:
        """Return the benchmark of a vtg-eval task, None if nothing is published on it."""
        return next((b for b in self.benchmarks.values() if b.task == task), None)


def condition_text(condition: str) -> str:
    """Return a condition in words."""
    return "subtitles not stated" if condition == UNSPECIFIED else condition


def page_number(published: Published, row: PageRow) -> Number | None:
    """Return the number behind a page's row: the site's own number, or one that confirms it.

    None if the page shows no value. Raises DataError if the data has no such number.
    """
    if row.value is None:
        return None
    key = (row.benchmark, row.model, row.split, row.condition, row.metric, row.value)
    numbers = [
        n
        for n in published.numbers
        if (n.benchmark, n.model, n.split, n.condition, n.metric, n.value) == key
    ]
    if not numbers:
        raise DataError(
            f"{row.where}: results/{row.benchmark}.csv has no {row.metric} {row.value:g} of "
            f"{row.model} on {row.split}."
        )
    return next((n for n in numbers if n.source == row.source), numbers[0])
