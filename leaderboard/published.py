"""Published results: what each number is of, where it stands, and whether it was read there."""

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
class Model:
    """A model: `size_b` in billions of parameters; empty texts and None where it is not known."""

    name: str
    size_b: float | None
    base_model: str
    training: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers come from. `url` may be empty; `kind` is one of SOURCE_KINDS."""

    id: str
    kind: str
    title: str
    arxiv: str
    url: str
    year: str


@dataclass(frozen=True, slots=True)
class SplitSize:
    """How many samples a figure is over; `metric` is empty where it holds for all of the split."""

    split: str
    samples: int
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark of which results are published; `task` is empty where it is none of ours.

    `primary` on the split `main` stands for it in the overview. `conditions`: what else must be
    equal before two rows are comparable (subtitles); empty where there is nothing.
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
        """Return how many samples a figure is over, None where that is not known.

        Where the split is unspecified: the fewest of all splits, so that no difference is taken
        for more certain than it may be.
        """
        fitting = [s for s in self.sizes if split in (s.split, UNSPECIFIED)]
        exact = [s.samples for s in fitting if s.metric == metric]
        return min(exact or [s.samples for s in fitting if not s.metric], default=None)


@dataclass(frozen=True, slots=True)
class Number:
    """One published number: `value` in percent, `text` as it is printed.

    evaluator: who measured, as far as known; protocol: ours where the rules are those of one.
    frames, budget: what the model saw, in the source's words. read: "source" (where it stands
    first), "copy" (in a table that repeats it), "no" (second-hand). where: file and line.
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
    """A line of a leaderboard site's page on a model. `value` is None where the page has none."""

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
    """All published results, checked against one another."""

    benchmarks: Mapping[str, Benchmark]
    models: Mapping[str, Model]
    sources: Mapping[str, Source]
    numbers: tuple[Number, ...]
    pages: tuple[PageRow, ...]

    def of_task(self, task: str) -> Benchmark | None:
        """Return the benchmark that is this task of ours, None where nothing is published."""
        return next((b for b in self.benchmarks.values() if b.task == task), None)


def condition_text(condition: str) -> str:
    """Return a condition in words."""
    return "subtitles not stated" if condition == UNSPECIFIED else condition


def page_number(published: Published, line: PageRow) -> Number | None:
    """Return the number behind a page's line: the site's own row, or the one that confirms it.

    None where the page shows no value. Raises DataError where the data holds no such number.
    """
    if line.value is None:
        return None
    key = (line.benchmark, line.model, line.split, line.condition, line.metric, line.value)
    fitting = [
        n
        for n in published.numbers
        if (n.benchmark, n.model, n.split, n.condition, n.metric, n.value) == key
    ]
    if not fitting:
        raise DataError(
            f"{line.where}: results/{line.benchmark}.csv has no {line.metric} {line.value:g} of "
            f"{line.model} on {line.split}."
        )
    return next((n for n in fitting if n.source == line.source), fitting[0])
