"""The page's content as plain data: one or two runs on the same task, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

from vtg_eval.report.page_probe import ProbePart
from vtg_eval.report.plots import Plots
from vtg_eval.report.thumbnails import Picture
from vtg_eval.types import Span

Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Named:
    """A name and its text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Figures in percent, in the order of `Page.metrics`; None: not defined.

    intervals: 95 %; empty for floors and the ceiling.
    """

    name: str
    values: tuple[float | None, ...]
    intervals: tuple[Pair | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """The same answers, scored under another protocol."""

    protocol: str
    n_scored: int
    values: tuple[float | None, ...]
    differs: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The figures of a group; `group` is its index in `Page.groups`."""

    group: int
    n: int
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class FailureCount:
    """The number of samples (or records) with a failure, by its index in `Page.failures`."""

    failure: int
    n: int


@dataclass(frozen=True, slots=True)
class RunPart:
    """One run. `subset` is the warning that it is not the whole split, else empty.

    failures: their counts. metadata: names and values about the run. floor_plots: the plots of the
    blind predictor `floor_name` on the same samples, None if there is none.
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
    scores_across_protocols: tuple[ProtocolRow, ...]
    failures: tuple[FailureCount, ...]
    groups: tuple[GroupRow, ...]
    metadata: tuple[Named, ...]
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
    """A sample. `groups`: indices in `Page.groups`; `pictures`: at the bounds of its moments."""

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
    """A run's answer to a sample: its text (`cut`: the number of characters left out), as parsed.

    spans: seconds, the first one counts; None for a time that is not a number. worth: the part of
    the primary metric, 0 to 1, None where the sample does not count in it. values: the same for
    each of `Page.metrics`, None also for those that are no means over samples. failures: indices
    in `Page.failures`. frame_times, model_times: indices in `Page.grids`, of the frames' times and
    of the times in the model's input. error: why there is no answer.
    """

    text: str
    cut: int
    spans: tuple[Pair, ...]
    absent: bool
    choice: str | None
    iou: float | None
    worth: float | None
    values: tuple[float | None, ...]
    failures: tuple[int, ...]
    frame_times: int
    model_times: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page.

    answers: for each run one for each of `samples`, None if the run does not have the sample.
    grids: ascending times in hundredths of a second, as differences; the first is absolute.
    images: JPEG, base64. pictures: a remark on missing pictures. probes: of runs that have some.
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
    probes: tuple[ProbePart, ...] = ()
