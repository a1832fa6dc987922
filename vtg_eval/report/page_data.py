"""What the page shows, as plain data: one or two runs on the same task, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

from vtg_eval.report.plots import Plots
from vtg_eval.report.thumbnails import Picture
from vtg_eval.types import Span

Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Named:
    """A word and what stands beside it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A line of figures in percent, in the order of `Page.metrics`; None: not defined.

    intervals: 95 %; empty for floors and the ceiling, which have none.
    """

    name: str
    values: tuple[float | None, ...]
    intervals: tuple[Pair | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """The same answers under another protocol."""

    protocol: str
    n_scored: int
    values: tuple[float | None, ...]
    differs: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The samples of a group, and the group's number in `Page.groups`."""

    group: int
    n: int
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """How many samples (or records) a kind of failure has, by its number in `Page.failures`."""

    failure: int
    n: int


@dataclass(frozen=True, slots=True)
class RunPart:
    """One run. `subset` is the warning that it is not the whole split, else empty.

    facts: what it was made with. plots: its own; floor_plots: those of the blind guess
    `floor_name` on the same samples, None where there is none.
    """

    model: str
    protocol: str
    n_expected: int
    n_scored: int
    n_videos: int
    primary: str
    subset: str
    score: ScoreRow
    floors: tuple[ScoreRow, ...]
    ceiling: ScoreRow | None
    spread: tuple[ProtocolRow, ...]
    ledger: tuple[LedgerRow, ...]
    groups: tuple[GroupRow, ...]
    facts: tuple[Named, ...]
    plots: Plots
    floor_name: str
    floor_fractions: Span | None
    floor_plots: Plots | None


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group of a grouping."""

    grouping: str
    name: str


@dataclass(frozen=True, slots=True)
class SampleView:
    """A sample as it is asked. `groups` are numbers in `Page.groups`; `pictures` of its bounds."""

    id: str
    video: str
    query: str
    options: tuple[str, ...]
    duration: float | None
    truth: tuple[Pair, ...]
    choice: str | None
    asks_span: bool
    groups: tuple[int, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What a run made of a sample: its text (`cut`: how many characters are left out), and how
    that was read.

    spans: seconds, the first counts; None for a time that is no number. worth: the part of the
    primary metric, 0 to 1. failures: numbers in `Page.failures`. shown, told: numbers in
    `Page.grids`: the times of the frames, and those that the model was told. error: why there is
    no answer.
    """

    text: str
    cut: int
    spans: tuple[Pair, ...]
    absent: bool
    choice: str | None
    iou: float | None
    worth: float | None
    failures: tuple[int, ...]
    shown: int
    told: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page.

    answers: for each run one for each of `samples`, None where the run was not asked. grids:
    ascending times in hundredths of a second, each but the first as the step from the one before.
    images: JPEG, base64; `pictures` says where they come from, or why there are none.
    """

    version: str
    task: str
    title: str
    split: str
    metrics: tuple[str, ...]
    runs: tuple[RunPart, ...]
    warnings: tuple[str, ...]
    groups: tuple[GroupName, ...]
    failures: tuple[Named, ...]
    samples: tuple[SampleView, ...]
    answers: tuple[tuple[AnswerView | None, ...], ...]
    grids: tuple[tuple[int, ...], ...]
    images: tuple[str, ...]
    pictures: str
